package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"time"

	"github.com/towpath-cdc/towpath/client"
	"github.com/towpath-cdc/towpath/protocol"
)

// Print the changes of one schema until interrupted.
func ExampleConsumer_Batches() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	c := client.NewConsumer(client.ConsumerOptions{
		Options: client.Options{Addr: "127.0.0.1:11111", Destination: "example"},
		Filter:  `shop\..*`,
	})
	for batch, err := range c.Batches(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		for entry, err := range batch.Entries() {
			if err != nil {
				log.Fatal(err)
			}
			if entry.EntryType() != protocol.EntryRowData {
				continue // the begin or end of a transaction
			}
			change, err := entry.RowChange()
			if err != nil {
				log.Fatal(err)
			}
			for row := range change.Rows() {
				for column := range row.After() {
					fmt.Println(entry.Header().TableName(), change.EventType(), column.Name(), column.Value())
				}
			}
		}
		if err := batch.Ack(); err != nil && !errors.Is(err, client.ErrStale) {
			log.Fatal(err)
		}
	}
}

// Several servers can have the destination; one of them does.
func ExampleStatic() {
	client.NewConsumer(client.ConsumerOptions{
		Options: client.Options{
			Discoverer:  client.Static("10.0.0.1:11111", "10.0.0.2:11111"),
			Destination: "example",
		},
	})
}

// Read a destination of a cluster, wherever it runs, and stand by for other processes
// that do.
func ExampleOpenZooKeeper() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	z, err := client.OpenZooKeeper(client.ZooKeeperOptions{Servers: "10.0.0.1:2181,10.0.0.2:2181,10.0.0.3:2181"})
	if err != nil {
		log.Fatal(err)
	}
	defer z.Close()
	c := client.NewConsumer(client.ConsumerOptions{
		Options: client.Options{
			ZooKeeper:   z,
			Destination: "example",
			Event:       func(e client.Event) { log.Print(e) },
		},
	})
	for batch, err := range c.Batches(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(batch.Len(), "entries")
		if err := batch.Ack(); err != nil && !errors.Is(err, client.ErrStale) {
			log.Fatal(err)
		}
	}
}

// One request after the other, with the caller in charge.
func ExampleDial() {
	ctx := context.Background()
	conn, err := client.Dial(ctx, client.Options{Addr: "127.0.0.1:11111", Destination: "example"})
	if err != nil {
		log.Fatal(err)
	}
	defer conn.Close()
	if err := conn.Subscribe(ctx, ""); err != nil {
		log.Fatal(err)
	}
	if err := conn.Rollback(); err != nil {
		log.Fatal(err)
	}
	batch, err := conn.GetWithoutAck(ctx, 1000, time.Second)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(batch.Len(), "entries")
	if err := batch.Ack(); err != nil {
		log.Fatal(err)
	}
}
