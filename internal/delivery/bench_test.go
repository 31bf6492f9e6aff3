package delivery

import (
	"context"
	"testing"
)

// BenchmarkGetAck is a client's round: 32 entries put, one get, one ack.
func BenchmarkGetAck(b *testing.B) {
	k := newBench(Options{})
	ctx := context.Background()
	c := client(1001)
	if err := k.Subscribe(ctx, c); err != nil {
		b.Fatal(err)
	}
	items := k.items(32)
	b.ReportAllocs()
	for b.Loop() {
		for i := range items {
			items[i].Block.Retain(1)
		}
		if err := k.st.Put(ctx, items); err != nil {
			b.Fatal(err)
		}
		d, err := k.Get(ctx, c, 1000, immediate)
		if err != nil {
			b.Fatal(err)
		}
		d.Release()
		if err := k.Ack(ctx, c, d.BatchID); err != nil {
			b.Fatal(err)
		}
	}
}
