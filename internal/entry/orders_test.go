package entry

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/towpath-cdc/towpath/internal/binlog"
	"github.com/towpath-cdc/towpath/internal/charset"
	"github.com/towpath-cdc/towpath/internal/schema"
	"github.com/towpath-cdc/towpath/internal/value"
)

// orders is the table that the benchmarks of whole servers fill (test/bench/workload),
// as MySQL 8.0 describes it and as its rows events have it.
var orders = struct {
	table *schema.Table
	types []byte
	meta  []uint16
}{
	&schema.Table{Schema: "bench", Name: "orders", Columns: []schema.Column{
		{Name: "id", Type: "bigint unsigned", Unsigned: true, Key: true}, {Name: "user_id", Type: "int unsigned", Unsigned: true},
		{Name: "sku", Type: "varchar(64)"}, {Name: "email", Type: "varchar(128)"}, {Name: "status", Type: "tinyint"}, {Name: "amount", Type: "decimal(12,2)"},
		{Name: "score", Type: "double"}, {Name: "note", Type: "text", Nullable: true}, {Name: "created", Type: "datetime"}, {Name: "updated", Type: "timestamp(3)"},
	}},
	[]byte{binlog.TypeLongLong, binlog.TypeLong, binlog.TypeVarchar, binlog.TypeVarchar, binlog.TypeTiny, binlog.TypeNewDecimal,
		binlog.TypeDouble, binlog.TypeBlob, binlog.TypeDatetime2, binlog.TypeTimestamp2},
	[]uint16{0, 0, 256, 512, 0, 12<<8 | 2, 8, 2, 0, 3},
}

// appendOrder appends the row image of the order numbered n.
func appendOrder(b []byte, n int) []byte {
	b = append(b, 0, 0) // nothing is NULL
	b = binary.LittleEndian.AppendUint64(b, uint64(n))
	b = binary.LittleEndian.AppendUint32(b, uint32(n%100000))
	text := func(s string) {
		b = binary.LittleEndian.AppendUint16(b, uint16(len(s)))
		b = append(b, s...)
	}
	text(fmt.Sprintf("SKU-%012d", n%9973))
	text(fmt.Sprintf("user%d@mail.example.com", n%100000))
	b = append(b, byte(n%7), 0x80) // of the amount, the first digit of ten
	b = binary.BigEndian.AppendUint32(b, uint32(n%1000000/100))
	b = append(b, byte(n%100))
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(n)/7))
	text(fmt.Sprintf("order %d %s", n, strings.Repeat("lorem ipsum ", 19)))
	at := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(n) * time.Second)
	packed := uint64(at.Year()*13+int(at.Month()))<<22 | uint64(at.Day())<<17 | uint64(at.Hour())<<12 | uint64(at.Minute())<<6 | uint64(at.Second()) | 1<<39
	b = append(b, byte(packed>>32))
	b = binary.BigEndian.AppendUint32(b, uint32(packed))
	b = binary.BigEndian.AppendUint32(b, uint32(at.Unix()))
	return binary.BigEndian.AppendUint16(b, 1250)
}

// BenchmarkOrders encodes rows events of the size that MySQL writes by default, 8 KiB.
func BenchmarkOrders(b *testing.B) {
	m := &binlog.TableMap{ID: 7, Schema: []byte("bench"), Name: []byte("orders"), Types: orders.types, Meta: orders.meta}
	plan, err := NewPlan(orders.table, m, Options{Charset: charset.UTF8, Zone: value.NewZone(time.UTC)})
	if err != nil {
		b.Fatal(err)
	}
	const rows = 25
	for _, kind := range []binlog.RowsKind{binlog.RowsInsert, binlog.RowsUpdate} {
		var data []byte
		for n := range rows {
			if kind == binlog.RowsUpdate {
				data = appendOrder(data, 1000000+37*n)
			}
			data = appendOrder(data, 1000000+37*n+n%2)
		}
		r := binlog.Rows{Kind: kind, TableID: 7, ColumnCount: len(orders.types), Present: []byte{0xff, 3}, PresentAfter: []byte{0xff, 3}, Data: data}
		c := Context{File: "mysql-bin.000003", Offset: 123456789, Size: int64(len(data)), ServerID: 1, Timestamp: 1700000000}
		b.Run(map[binlog.RowsKind]string{binlog.RowsInsert: "insert", binlog.RowsUpdate: "update"}[kind], func(b *testing.B) {
			var enc Encoder
			buf := make([]byte, 0, 1<<20)
			b.ReportAllocs()
			size := 0
			for b.Loop() {
				out, n, err := enc.Rows(buf, &c, plan, &r, 7)
				if err != nil || n != rows {
					b.Fatal(n, err)
				}
				size = len(out)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/rows, "ns/row")
			b.ReportMetric(float64(size)/rows, "bytes/row")
		})
	}
}
