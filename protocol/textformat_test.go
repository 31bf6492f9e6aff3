package protocol

import (
	"fmt"
	"testing"
)

func TestTextFormat(t *testing.T) {
	for _, c := range []struct {
		message fmt.Stringer
		want    string
	}{
		{&Sub{Destination: "example"}, "destination: \"example\"\n"},
		{&Unsub{ClientID: "7", Filter: `a\..*`}, "client_id: \"7\"\nfilter: \"a\\\\..*\"\n"},
		{&Sub{}, ""},
		{&Sub{Destination: "é\"'\n\x01"}, `destination: "\303\251\"\'\n\001"` + "\n"},
		{&Get{Destination: "d", FetchSize: 10, Timeout: Some[int64](-1), Unit: Some[int32](0), AutoAck: Some(false)},
			"destination: \"d\"\nfetch_size: 10\ntimeout: -1\nunit: 0\nauto_ack: false\n"},
		{&ClientAck{Destination: "d", ClientID: "1"}, "destination: \"d\"\nclient_id: \"1\"\n"},
		{&ClientRollback{BatchID: -3}, "batch_id: -3\n"},
	} {
		if got := c.message.String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
