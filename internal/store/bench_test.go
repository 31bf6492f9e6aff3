package store

import (
	"context"
	"fmt"
	"testing"
	"time"
)

// BenchmarkPutGetAck moves items through the ring as an instance does: blocks of
// items in, batches out, acks. The figures are per item of 250 bytes.
func BenchmarkPutGetAck(b *testing.B) {
	for _, perBlock := range []int{1, 16, 256} {
		for _, budget := range []*Budget{nil, NewBudget(1 << 30)} {
			b.Run(fmt.Sprintf("block=%d/budget=%t", perBlock, budget != nil), func(b *testing.B) {
				var m maker
				items := m.rows(perBlock, 250)
				block := items[0].Block
				ctx := context.Background()
				s := New(Options{Budget: budget})
				b.SetBytes(250)
				b.ReportAllocs()
				for n := 0; n < b.N; {
					for range max(1, 256/perBlock) {
						block.Retain(len(items))
						if err := s.Put(ctx, items); err != nil {
							b.Fatal(err)
						}
						n += len(items)
					}
					batch, err := s.Get(ctx, 1000, NoWait)
					if err != nil {
						b.Fatal(err)
					}
					batch.Release()
					if err := s.Ack(batch.EndSeq); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// BenchmarkPipe has the producer and the consumer in two goroutines.
func BenchmarkPipe(b *testing.B) {
	var m maker
	items := m.rows(64, 250)
	block := items[0].Block
	ctx := context.Background()
	s := New(Options{})
	b.SetBytes(250)
	b.ReportAllocs()
	go func() {
		for n := 0; n < b.N; n += len(items) {
			block.Retain(len(items))
			_ = s.Put(ctx, items)
		}
	}()
	for n := 0; n < b.N; {
		batch, err := s.Get(ctx, 10, Wait(time.Millisecond))
		if err != nil {
			b.Fatal(err)
		}
		if batch.Empty() {
			continue
		}
		n += batch.Count
		batch.Release()
		if err := s.Ack(batch.EndSeq); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkIdle shows what an instance without data costs.
func BenchmarkIdle(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		_ = New(Options{})
	}
}
