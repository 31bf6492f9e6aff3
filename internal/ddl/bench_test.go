package ddl

import (
	"strings"
	"testing"
)

func BenchmarkClassify(b *testing.B) {
	for name, sql := range map[string]string{
		"insert":      "INSERT INTO `d`.`t` (`a`,`b`,`c`) VALUES (1,'some text',NOW())",
		"long insert": "INSERT INTO t VALUES " + strings.Repeat("(1,'some text',NOW()),", 10_000) + "(1,'',NULL)",
		"alter":       "ALTER TABLE t ADD COLUMN a int NOT NULL DEFAULT '0' COMMENT 'x' AFTER b, ADD INDEX i (a)",
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(sql)))
			for b.Loop() {
				Classify(sql, "cur", Druid)
			}
		})
	}
}
