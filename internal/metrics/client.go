package metrics

import (
	"maps"
	"slices"
	"strconv"

	"github.com/towpath-cdc/towpath/internal/server"
)

// clientFamilies returns Canal's metrics of requests (its
// PrometheusClientInstanceProfiler).
func clientFamilies(all []server.ClientStats) []family {
	packets := family{name: "canal_instance_client_packets", typ: counter, help: "Total packets sent to client."}
	bytes := family{name: "canal_instance_client_bytes", typ: counter, help: "Total bytes sent to client."}
	empty := family{name: "canal_instance_client_empty_batches", typ: counter, help: "Total empty batches sent to client."}
	failed := family{name: "canal_instance_client_request_error", typ: counter, help: "Total client request errors."}
	latency := family{name: "canal_instance_client_request_latency", typ: histogram, help: "Client request latency."}
	for _, c := range all {
		for _, t := range slices.Sorted(maps.Keys(c.Packets)) {
			packets.add(float64(c.Packets[t]), "destination", c.Destination, "packetType", t)
		}
		bytes.add(float64(c.Bytes), "destination", c.Destination)
		if c.EmptyBatches > 0 {
			empty.add(float64(c.EmptyBatches), "destination", c.Destination)
		}
		for _, code := range slices.Sorted(maps.Keys(c.Errors)) {
			failed.add(float64(c.Errors[code]), "destination", c.Destination, "errorCode", strconv.Itoa(code))
		}
		addLatency(&latency, &c)
	}
	return []family{packets, bytes, empty, failed, latency}
}

// addLatency adds the samples of a histogram. The bounds are printed as Java
// prints numbers (10.0), since the dashboard's legends and overrides name them so.
func addLatency(f *family, c *server.ClientStats) {
	var count uint64
	for i, n := range c.Latency {
		count += n
		bound := "+Inf"
		if i < len(server.LatencyBounds) {
			bound = string(appendDouble(nil, server.LatencyBounds[i]))
		}
		f.addPart("_bucket", float64(count), "destination", c.Destination, "le", bound)
	}
	f.addPart("_count", float64(count), "destination", c.Destination)
	f.addPart("_sum", c.LatencySum, "destination", c.Destination)
}
