package server

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/protocol"
)

// maxBatchBytes bounds the entries of one reply: its frame length is a signed
// 32-bit number, and the head needs some of it.
const maxBatchBytes = math.MaxInt32 - 64

// The timeouts of Instance.Get that are no durations.
const (
	noWait  time.Duration = -1
	forever time.Duration = 0
)

// batch is a delivery on its way to the client.
type batch struct {
	delivery.Delivery
	instance Instance
	client   meta.Client
}

// get waits for a batch as the client wishes. It ends early, without having
// taken a batch, when the client goes away or is idle for too long, and when the
// server stops.
func (s *session) get(soft, hard context.Context, m *protocol.Get) (answer, error) {
	instance, client, err := s.instance(hard, m.Destination, m.ClientID, false)
	if err != nil {
		return answer{}, err
	}
	timeout := getTimeout(m)
	w := s.watch(soft, timeout)
	d, err := instance.Get(w.ctx, client, m.FetchSize, timeout)
	gone := w.stop()
	b := &batch{Delivery: d, instance: instance, client: client}
	switch {
	case err != nil && soft.Err() != nil:
		return answer{closing: errDraining}, nil
	case errors.Is(err, errHungUp):
		return answer{closing: errHungUp}, nil
	case err != nil && gone == nil:
		return answer{}, err
	case err != nil:
		return answer{closing: gone}, nil
	case d.BatchID == protocol.NoBatch && gone == nil:
		return answer{message: &protocol.Messages{BatchID: protocol.NoBatch}}, nil
	case d.BatchID == protocol.NoBatch:
		return answer{closing: gone}, nil
	case gone != nil:
		s.takeBack(hard, b)
		return answer{closing: gone}, nil
	case d.Bytes > maxBatchBytes:
		s.takeBack(hard, b)
		return answer{}, fmt.Errorf("a batch of %d bytes is more than a packet can hold", d.Bytes)
	}
	return answer{batch: b}, nil
}

// getTimeout returns the timeout of a GET as Instance.Get takes it.
func getTimeout(m *protocol.Get) time.Duration {
	n := m.Timeout.Value // 0 when absent
	switch {
	case n == -1:
		return noWait
	case n <= 0:
		return forever
	}
	unit := timeUnit(m.Unit.Value)
	if n > int64(math.MaxInt64/unit) {
		return math.MaxInt64
	}
	return time.Duration(n) * unit
}

// timeUnit returns the unit with an ordinal of java.util.concurrent.TimeUnit;
// milliseconds for any other number, among them the -1 that canal-go sends.
func timeUnit(ordinal int32) time.Duration {
	units := [...]time.Duration{time.Nanosecond, time.Microsecond, time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour}
	if ordinal < 0 || int(ordinal) >= len(units) {
		return time.Millisecond
	}
	return units[ordinal]
}

// sendBatch writes the entries of a batch as they lie in the store and gives
// their memory back. A batch that could not be written whole has not reached
// the client, which can make nothing of a part of a packet.
func (s *session) sendBatch(hard context.Context, b *batch) (int, error) {
	s.out = protocol.AppendMessagesHead(s.out[:0], b.BatchID, b.Bytes)
	n := len(s.out) + b.Bytes
	s.segments = append(append(s.segments[:0], s.out), b.Buffers...)
	err := s.write(s.segments, b.Until)
	clear(s.segments) // keeps no batch alive
	if err != nil {
		s.takeBack(hard, b)
		return n, err
	}
	b.Release()
	return n, nil
}

// takeBack returns a batch that did not reach its client, so that whoever asks
// next gets it. Canal leaves it outstanding until a client rolls back.
func (s *session) takeBack(hard context.Context, b *batch) {
	b.Release()
	err := b.instance.Rollback(hard, b.client, b.BatchID)
	s.log.Info("batch did not reach its client", "destination", b.client.Destination,
		"client_id", b.client.ID, "batch_id", b.BatchID, "taken_back", err == nil)
}
