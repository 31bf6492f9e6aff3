package metrics

import (
	"strconv"
	"time"

	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/store"
)

// InstanceStats are the figures of one running instance at one moment.
type InstanceStats struct {
	Destination   string
	Subscriptions int           // subscribed client ids
	Parallel      bool          // rows are decoded by several workers
	Parsers       []ParserStats // one, or one for each member of a group
	SinkBlocking  time.Duration // that putting into the store has waited for room, since the start
	LastExecTime  time.Time     // of the last entry stored, or the clock at the last heartbeat of the source; the start before that
	Transactions  uint64        // stored, since the start
	Store         store.Stats
	Quarantined   int    // tables of which rows cannot be decoded for certain
	HeldRows      uint64 // rows events of these, since the start
	Healed        uint64 // times that what was known of a table did not fit its rows and was replaced, since the start
}

// ParserStats are the figures of one source of an instance, since its start.
type ParserStats struct {
	ReceivedBytes   uint64        // of binlog
	PublishBlocking time.Duration // that the stream has waited for a free decode worker
}

// instanceFamilies returns Canal's metrics of instances in the order of its
// collectors: MetaCollector, ParserCollector, SinkCollector with EntryCollector,
// StoreCollector.
func instanceFamilies(all []InstanceStats, now time.Time) []family {
	var families []family
	families = append(families, basicFamilies(all)...)
	families = append(families, parserFamilies(all)...)
	families = append(families, sinkFamilies(all, now)...)
	return append(families, storeFamilies(all, now)...)
}

func basicFamilies(all []InstanceStats) []family {
	instance := family{name: "canal_instance", typ: gauge, help: "Canal instance"}
	subscriptions := family{name: "canal_instance_subscriptions", typ: gauge, help: "Canal instance subscriptions"}
	for _, i := range all {
		// Canal says so of every instance its deployer makes.
		instance.add(1, "destination", i.Destination, "mode", "spring")
		subscriptions.add(float64(i.Subscriptions), "destination", i.Destination)
	}
	return []family{instance, subscriptions}
}

func parserFamilies(all []InstanceStats) []family {
	mode := family{name: "canal_instance_parser_mode", typ: gauge, help: "Parser mode(parallel/serial) of instance"}
	received := family{name: "canal_instance_received_binlog_bytes", typ: counter, help: "Received binlog bytes"}
	blocking := family{name: "canal_instance_publish_blocking_time", typ: counter, help: "Publish blocking time of dump thread in milliseconds"}
	for _, i := range all {
		mode.add(1, "destination", i.Destination, "parallel", strconv.FormatBool(i.Parallel))
		for n, p := range i.Parsers {
			name := parserName(n, len(i.Parsers))
			received.add(float64(p.ReceivedBytes), "destination", i.Destination, "parser", name)
			if i.Parallel {
				blocking.add(milliseconds(p.PublishBlocking), "destination", i.Destination, "parser", name)
			}
		}
	}
	families := []family{mode, received}
	if len(blocking.samples) > 0 { // Canal omits the family when there is no parallel instance
		families = append(families, blocking)
	}
	return families
}

// parserName is "0" for the only parser of an instance; those of a group count
// from 1.
func parserName(n, of int) string {
	if of > 1 {
		n++
	}
	return strconv.Itoa(n)
}

func sinkFamilies(all []InstanceStats, now time.Time) []family {
	blocking := family{name: "canal_instance_sink_blocking_time", typ: counter, help: "Total sink blocking time in milliseconds"}
	delay := family{name: "canal_instance_traffic_delay", typ: gauge, help: "Traffic delay of canal instance in milliseconds"}
	transactions := family{name: "canal_instance_transactions", typ: counter, help: "Transactions counter of canal instance"}
	for _, i := range all {
		blocking.add(milliseconds(i.SinkBlocking), "destination", i.Destination)
		delay.add(since(now, i.LastExecTime.UnixMilli()), "destination", i.Destination)
		transactions.add(float64(i.Transactions), "destination", i.Destination)
	}
	return []family{blocking, delay, transactions}
}

func storeFamilies(all []InstanceStats, now time.Time) []family {
	of := func(name, typ, help string, value func(*store.Stats) float64) family {
		f := family{name: name, typ: typ, help: help}
		for _, i := range all {
			f.add(value(&i.Store), "destination", i.Destination)
		}
		return f
	}
	info := family{name: "canal_instance_store", typ: gauge, help: "Canal instance info"}
	for _, i := range all {
		info.add(1, "destination", i.Destination, "batchMode", modeName(i.Store.Mode), "size", strconv.Itoa(i.Store.Slots))
	}
	families := []family{
		of("canal_instance_store_produce_seq", counter, "Produced events counter of canal instance", func(s *store.Stats) float64 { return float64(s.PutSeq) }),
		of("canal_instance_store_consume_seq", counter, "Consumed events counter of canal instance", func(s *store.Stats) float64 { return float64(s.AckSeq) }),
		info,
		// The delay of a cursor is never less than that of the one before it.
		of("canal_instance_put_delay", gauge, "Traffic delay of canal instance put", func(s *store.Stats) float64 { return since(now, s.PutTime) }),
		of("canal_instance_get_delay", gauge, "Traffic delay of canal instance get", func(s *store.Stats) float64 { return since(now, min(s.GetTime, s.PutTime)) }),
		of("canal_instance_ack_delay", gauge, "Traffic delay of canal instance ack", func(s *store.Stats) float64 { return since(now, min(s.AckTime, s.GetTime, s.PutTime)) }),
		of("canal_instance_put_rows", counter, "Put table rows of canal instance", func(s *store.Stats) float64 { return float64(s.PutRows) }),
		of("canal_instance_get_rows", counter, "Got table rows of canal instance", func(s *store.Stats) float64 { return float64(s.GetRows) }),
		of("canal_instance_ack_rows", counter, "Acked table rows of canal instance", func(s *store.Stats) float64 { return float64(s.AckRows) }),
	}
	return append(families, memoryFamilies(all)...)
}

// memoryFamilies are about instances that count memory; without any there are
// no families.
func memoryFamilies(all []InstanceStats) []family {
	produced := family{name: "canal_instance_store_produce_mem", typ: counter, help: "Produced mem bytes of canal instance"}
	consumed := family{name: "canal_instance_store_consume_mem", typ: counter, help: "Consumed mem bytes of canal instance"}
	for _, i := range all {
		if i.Store.Mode == config.MemSize {
			produced.add(float64(i.Store.PutBytes), "destination", i.Destination)
			consumed.add(float64(i.Store.AckBytes), "destination", i.Destination)
		}
	}
	if len(produced.samples) == 0 {
		return nil
	}
	return []family{produced, consumed}
}

// ownFamilies returns the metrics that Canal does not have.
func ownFamilies(all []InstanceStats, sessions int, refused uint64, now time.Time) []family {
	connections := family{name: "towpath_client_connections", typ: gauge, help: "Open connections of clients"}
	connections.add(float64(sessions))
	rejected := family{name: "towpath_client_connections_refused", typ: counter, help: "Connections of clients closed at once because there were too many"}
	rejected.add(float64(refused))
	full := family{name: "towpath_instance_store_full_time", typ: gauge, help: "Time in milliseconds the store has been full and the source waiting, 0 if it is not"}
	quarantined := family{name: "towpath_instance_quarantined_tables", typ: gauge, help: "Tables of which rows are held back or marked, because they cannot be decoded for certain"}
	held := family{name: "towpath_instance_quarantined_row_events", typ: counter, help: "Rows events of tables in quarantine"}
	healed := family{name: "towpath_instance_healed_tables", typ: counter, help: "Times that the known definition of a table did not fit its rows and was replaced by one that does"}
	for _, i := range all {
		quarantined.add(float64(i.Quarantined), "destination", i.Destination)
		held.add(float64(i.HeldRows), "destination", i.Destination)
		healed.add(float64(i.Healed), "destination", i.Destination)
		var ms float64
		if !i.Store.FullSince.IsZero() {
			ms = since(now, i.Store.FullSince.UnixMilli())
		}
		full.add(ms, "destination", i.Destination)
	}
	return []family{connections, rejected, full, quarantined, held, healed}
}

func modeName(m config.BatchMode) string {
	if m == config.ItemSize {
		return "ITEMSIZE"
	}
	return "MEMSIZE"
}

// since returns the milliseconds from unixMilli to now, 0 when that is in the
// future.
func since(now time.Time, unixMilli int64) float64 {
	return float64(max(now.UnixMilli()-unixMilli, 0))
}

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
