//go:build ignore

// Command go-client subscribes with github.com/withlin/canal-go and prints each entry as one line of JSON,
// in the same shape as ../java-client (fields absent on the wire are left out).
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/withlin/canal-go/client"
	pbe "github.com/withlin/canal-go/protocol/entry"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func main() {
	host := flag.String("host", "127.0.0.1", "")
	port := flag.Int("port", 11111, "")
	zk := flag.String("zk", "", "ZooKeeper servers, host:port with commas: a cluster connector")
	dest := flag.String("destination", "example", "")
	user := flag.String("user", "", "")
	passwd := flag.String("passwd", "", "")
	filter := flag.String("filter", `.*\..*`, "")
	batch := flag.Int("batch", 1000, "")
	idle := flag.Duration("idle", 3*time.Second, "stop after this long without an entry")
	until := flag.String("until", "", "stop after the batch with an entry of schema.table")
	raw := flag.Bool("raw", false, "add the entry's bytes in hex")
	decode := flag.String("decode", "", "measure how fast the recorded batches of a file are decoded, and do nothing else")
	warm := flag.Duration("warm", time.Second, "for how long they are decoded before that")
	span := flag.Duration("span", time.Second, "for how long that is measured")
	flag.Parse()
	if *decode != "" {
		decodeFile(*decode, *warm, *span)
		return
	}

	var c client.CanalConnector
	if *zk != "" {
		node, err := client.NewCanalClusterNode(*dest, strings.Split(*zk, ","), 10*time.Second)
		fail(err)
		c, err = client.NewClusterCanalConnector(node, *user, *passwd, *dest, 60000, 3600000)
		fail(err)
	} else {
		c = client.NewSimpleCanalConnector(*host, *port, *user, *passwd, *dest, 60000, 3600000)
		fail(c.Connect())
	}
	fail(c.Subscribe(*filter))
	out := bufio.NewWriterSize(os.Stdout, 1<<16)
	last, n, done := time.Now(), 0, false
	for !done {
		m, err := c.GetWithOutAck(int32(*batch), nil, nil)
		fail(err)
		if m.Id == -1 || len(m.Entries) == 0 {
			if time.Since(last) > *idle {
				break
			}
			time.Sleep(100 * time.Millisecond)
			continue
		}
		last = time.Now()
		for i := range m.Entries {
			e := &m.Entries[i]
			n++
			fmt.Fprintln(out, line(e, *raw))
			if *until != "" && *until == e.GetHeader().GetSchemaName()+"."+e.GetHeader().GetTableName() {
				done = true
			}
		}
		out.Flush()
		fail(c.Ack(m.Id))
	}
	fmt.Fprintf(os.Stderr, "entries=%d\n", n)
	c.DisConnection()
}

func fail(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func line(e *pbe.Entry, raw bool) string {
	p := map[string]any{"header": js(e.GetHeader()), "entryType": e.GetEntryType().String()}
	switch e.GetEntryType() {
	case pbe.EntryType_ROWDATA:
		put(p, "rowChange", e, new(pbe.RowChange))
	case pbe.EntryType_TRANSACTIONBEGIN:
		put(p, "begin", e, new(pbe.TransactionBegin))
	case pbe.EntryType_TRANSACTIONEND:
		put(p, "end", e, new(pbe.TransactionEnd))
	default:
		p["storeValue"] = hex.EncodeToString(e.GetStoreValue())
	}
	if raw {
		b, _ := proto.Marshal(e)
		p["raw"] = hex.EncodeToString(b)
	}
	b, err := json.Marshal(p)
	fail(err)
	return string(b)
}

func put(p map[string]any, k string, e *pbe.Entry, m proto.Message) {
	fail(proto.Unmarshal(e.GetStoreValue(), m))
	p[k] = js(m)
}

func js(m proto.Message) json.RawMessage {
	b, err := protojson.Marshal(m)
	fail(err)
	return b
}
