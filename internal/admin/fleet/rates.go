package fleet

import (
	"time"

	"github.com/towpath-cdc/towpath/internal/control"
)

// Rates are what goes through an instance a second.
type Rates struct {
	ReadBytes, ReadEvents float32 // of binlog
	PutRows               float32 // into the store
	GetRows               float32 // handed to clients
	AckRows               float32 // confirmed by them
	Transactions          float32
}

// ServerRates are those of a server: of what its instances do a second, and of
// what it uses.
type ServerRates struct {
	Rows, Bytes float64 // handed to clients; read of binlog
	CPU         float64 // of one core
}

// instanceCounters are those of an instance since it began to run.
type instanceCounters struct {
	readBytes, readEvents, putRows, getRows, ackRows, transactions int64
}

// counters are those of a report.
type counters struct {
	startedMs int64
	pid       int
	atMs      int64 // by the server's clock
	taken     time.Time
	cpu       float64
	instances map[string]instanceCounters // of those that run
}

func countersOf(r *control.ServerReport, taken time.Time) counters {
	c := counters{startedMs: r.StartedMs, pid: r.PID, atMs: r.NowMs, taken: taken, cpu: r.CPUSeconds, instances: make(map[string]instanceCounters)}
	for i := range r.Instances {
		in := &r.Instances[i]
		if in.Source == nil && in.Store == nil && in.Pipeline == nil {
			continue
		}
		n := instanceCounters{}
		if in.Source != nil {
			n.readBytes, n.readEvents = int64(in.Source.Bytes), int64(in.Source.Events)
		}
		if in.Store != nil {
			n.putRows, n.getRows, n.ackRows = in.Store.PutRows, in.Store.GetRows, in.Store.AckRows
		}
		if in.Pipeline != nil {
			n.transactions = in.Pipeline.Transactions
		}
		c.instances[in.Destination] = n
	}
	return c
}

// since gives the rates between two reports. Whatever began anew in between, by
// the start of the server or of an instance, has none until the report after: its
// counters have gone back.
func (c *counters) since(before *counters) (ServerRates, map[string]Rates) {
	var total ServerRates
	seconds := c.seconds(before)
	if seconds <= 0 {
		return total, nil
	}
	total.CPU = max(0, c.cpu-before.cpu) / seconds
	rates := make(map[string]Rates, len(c.instances))
	for destination, now := range c.instances {
		old, known := before.instances[destination]
		if !known || now.goneBack(old) {
			continue
		}
		per := func(now, old int64) float32 { return float32(float64(now-old) / seconds) }
		r := Rates{
			ReadBytes: per(now.readBytes, old.readBytes), ReadEvents: per(now.readEvents, old.readEvents),
			PutRows: per(now.putRows, old.putRows), GetRows: per(now.getRows, old.getRows), AckRows: per(now.ackRows, old.ackRows),
			Transactions: per(now.transactions, old.transactions),
		}
		rates[destination] = r
		total.Rows += float64(r.GetRows)
		total.Bytes += float64(r.ReadBytes)
	}
	return total, rates
}

// seconds are between two reports of the same process, by its own clock unless
// that has been set; 0 when they cannot be compared.
func (c *counters) seconds(before *counters) float64 {
	if before.taken.IsZero() || c.startedMs != before.startedMs || c.pid != before.pid || c.cpu < before.cpu {
		return 0
	}
	here := c.taken.Sub(before.taken).Seconds()
	there := float64(c.atMs-before.atMs) / 1000
	const slack = 2 * lookTimeout
	if there <= 0 || there > here+slack.Seconds() || there < here-slack.Seconds() {
		return here
	}
	return there
}

func (n instanceCounters) goneBack(old instanceCounters) bool {
	return n.readBytes < old.readBytes || n.readEvents < old.readEvents || n.putRows < old.putRows ||
		n.getRows < old.getRows || n.ackRows < old.ackRows || n.transactions < old.transactions
}
