package api

import (
	"strings"
	"testing"
)

func TestMaskSecrets(t *testing.T) {
	tests := []struct{ name, content, want string }{
		{"one", "a = 1\ncanal.instance.dbPassword = s3cret\nb = 2\n", "a = 1\ncanal.instance.dbPassword = ******\nb = 2\n"},
		{"no final newline", "canal.passwd=x", "canal.passwd=******"},
		{"colon and blanks", " canal.passwd :\tx y ", " canal.passwd :\t******"},
		{"blank as separator", "canal.passwd x", "canal.passwd ******"},
		{"windows", "canal.passwd=x\r\nb=2\r\n", "canal.passwd=******\r\nb=2\r\n"},
		{"continued", "canal.passwd=x\\\n  y\nb=2\n", "canal.passwd=******\nb=2\n"},
		{"value on the next line", "canal.passwd=\\\n  y\nb=2\n", "canal.passwd=\\\n  ******\nb=2\n"},
		{"continued key", "canal.\\\n   passwd=y\n", "canal.\\\n   passwd=******\n"},
		{"escaped key", "canal.pass\\u0077d=y\n", "canal.pass\\u0077d=******\n"},
		{"in a comment", "# canal.passwd = old\n#kafka.sasl.jaas.config = x\n", "# canal.passwd = ******\n#kafka.sasl.jaas.config = ******\n"},
		{"a comment does not continue", "#x \\\ncanal.passwd = y\n", "#x \\\ncanal.passwd = ******\n"},
		{"unknown key", "my.Secret.thing = 1\n", "my.Secret.thing = ******\n"},
		{"reference", "canal.passwd = ${DB_PASSWORD}\n", "canal.passwd = ${DB_PASSWORD}\n"},
		{"reference with a default", "canal.passwd = ${DB_PASSWORD:x}\n", "canal.passwd = ******\n"},
		{"blank", "canal.passwd =  \n", "canal.passwd =  \n"},
		{"part of another value", "canal.x = a \\\n canal.passwd = y\n", "canal.x = ******\n"},
		{"byte order mark", "\ufeffcanal.passwd=y\n", "\ufeffcanal.passwd=******\n"},
		{"what a secret refers to", "mine = a\nway=${mine}\ncanal.passwd=${way}\nyours=b\n", "mine = ******\nway=${mine}\ncanal.passwd=${way}\nyours=b\n"},
		{"password in a URL", "canal.instance.tsdb.url = jdbc:mysql://h/d?user=u&password=x\n", "canal.instance.tsdb.url = ******\n"},
		{"user information in an escaped URL", "u = jdbc\\:mysql\\://u\\:x@h/d\n", "u = ******\n"},
		{"no password in a URL", "canal.instance.tsdb.url = jdbc:mysql://h/d\n", "canal.instance.tsdb.url = jdbc:mysql://h/d\n"},
		{"a URL in a comment", "# jdbc:mysql://u:x@h\n", "# jdbc:******\n"},
		{"one with, one without", "u = amqp://a:b@h\nu = amqp://h\nu = amqp://c:d@h\n", "u = ******\nu = amqp://h\nu = ******\n"},
		{"looks masked already", "u = ******\nu = amqp://c:d@h\n", "u = ******\nu = ******\n"},
		{"option of Kafka", "kafka.ssl.keystore.password = x\nkafka.acks = all\n", "kafka.ssl.keystore.password = ******\nkafka.acks = all\n"},
		{"twice", "canal.passwd=a\ncanal.passwd=b\n", "canal.passwd=******\ncanal.passwd=******\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			masked := maskSecrets(tt.content)
			if masked != tt.want {
				t.Errorf("got %q, want %q", masked, tt.want)
			}
			kept, err := keepSecrets(masked, tt.content)
			if err != nil || kept != tt.content {
				t.Errorf("put back %q, %v, want %q", kept, err, tt.content)
			}
		})
	}
}

func TestKeepSecrets(t *testing.T) {
	const stored = "canal.instance.dbPassword = s3cret\n# canal.passwd = old\n"
	tests := []struct{ name, edited, want, failure string }{
		{"moved", "a=1\n\ncanal.instance.dbPassword=******\n", "a=1\n\ncanal.instance.dbPassword=s3cret\n", ""},
		{"changed", "canal.instance.dbPassword = new\n", "canal.instance.dbPassword = new\n", ""},
		{"comment taken away", "canal.passwd = ******\n", "canal.passwd = old\n", ""},
		{"written twice", "canal.instance.dbPassword = ******\ncanal.instance.dbPassword = ******\n", "canal.instance.dbPassword = s3cret\ncanal.instance.dbPassword = s3cret\n", ""},
		{"nothing stored", "rabbitmq.password = ******\n", "", "rabbitmq.password"},
		{"no secret", "canal.instance.filter.regex = ******\n", "canal.instance.filter.regex = ******\n", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := keepSecrets(tt.edited, stored)
			if tt.failure != "" {
				if err == nil || !strings.Contains(err.Error(), tt.failure) {
					t.Errorf("got %v, want a failure about %s", err, tt.failure)
				}
				return
			}
			if err != nil || got != tt.want {
				t.Errorf("got %q, %v, want %q", got, err, tt.want)
			}
		})
	}
}

func FuzzKeepSecrets(f *testing.F) {
	f.Add("canal.passwd=x\\\n  y\nb=2\n")
	f.Add("canal.pass\\u0077d : x\r\n#canal.passwd z\r")
	f.Add("\\ canal.passwd = 1\n a\\\\\ncanal.passwd")
	f.Fuzz(func(t *testing.T, content string) {
		if kept, err := keepSecrets(maskSecrets(content), content); err != nil || kept != content {
			t.Errorf("put back %q, %v, want %q", kept, err, content)
		}
	})
}
