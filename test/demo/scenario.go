package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/towpath-cdc/towpath/test/servers"
)

// step is something that is done to the database, and what of it the client has
// to receive.
type step struct {
	title string
	sql   []string
	want  []string // how the lines of its changes begin, after time and position, in order
	ends  int      // transactions that end
}

// scenario is what the demo shows. Its last row is the marker: what has arrived
// before it is all there is.
var scenario = []step{
	{
		title: "Make a table",
		sql: []string{
			`CREATE DATABASE shop`,
			`CREATE TABLE shop.customer (
  id      BIGINT UNSIGNED PRIMARY KEY AUTO_INCREMENT,
  name    VARCHAR(40) NOT NULL,
  level   ENUM('new', 'regular', 'gold') NOT NULL DEFAULT 'new',
  points  SMALLINT NOT NULL DEFAULT 0,
  balance DECIMAL(12,2),
  born    DATE,
  seen    DATETIME(3),
  extra   JSON,
  photo   BLOB
) DEFAULT CHARSET utf8mb4`,
		},
		want: []string{"QUERY shop CREATE DATABASE shop", "CREATE shop.customer CREATE TABLE shop.customer"},
	},
	{
		title: "Insert a row of many types (an ENUM comes as its number, as in Canal)",
		sql: []string{
			`INSERT INTO shop.customer VALUES
  (18446744073709551615, '王小明 🎉', 'gold', -42, 1234567.80, '1990-05-17',
   '2026-01-31 12:34:56.789', '{"tags": ["vip", "茶"]}', x'89504e47')`,
		},
		want: []string{`INSERT shop.customer id=18446744073709551615 name="王小明 🎉" level=3 points=-42 balance=1234567.80 ` +
			`born=1990-05-17 seen=2026-01-31 12:34:56.789 extra=` + "`" + `{"tags": ["vip", "茶"]}` + "`" + ` photo=x'89504e47'`},
		ends: 1,
	},
	{
		title: "Insert several at once",
		sql: []string{`INSERT INTO shop.customer (id, name, balance) VALUES
  (1, 'Ada', 10.25), (2, 'Grace', 20.75), (3, 'Edsger', NULL)`},
		want: []string{
			`INSERT shop.customer id=1 name="Ada" level=1 points=0 balance=10.25 born=NULL`,
			`INSERT shop.customer id=2 name="Grace" level=1 points=0 balance=20.75`,
			`INSERT shop.customer id=3 name="Edsger" level=1 points=0 balance=NULL`,
		},
		ends: 1,
	},
	{
		title: "Update: old and new values",
		sql: []string{`UPDATE shop.customer SET level = 'regular', points = points + 7
  WHERE id <= 2`},
		want: []string{
			`UPDATE shop.customer id=1 level=1→2 points=0→7`,
			`UPDATE shop.customer id=2 level=1→2 points=0→7`,
		},
		ends: 1,
	},
	{
		title: "Delete",
		sql:   []string{`DELETE FROM shop.customer WHERE id = 3`},
		want:  []string{`DELETE shop.customer id=3 name="Edsger"`},
		ends:  1,
	},
	{
		title: "One transaction, several statements",
		sql: []string{
			`BEGIN`,
			`UPDATE shop.customer SET balance = balance - 5 WHERE id = 1`,
			`UPDATE shop.customer SET balance = balance + 5 WHERE id = 2`,
			`COMMIT`,
		},
		want: []string{
			`UPDATE shop.customer id=1 balance=10.25→5.25`,
			`UPDATE shop.customer id=2 balance=20.75→25.75`,
		},
		ends: 1,
	},
	{
		title: "Rolled back: nothing is to be seen",
		sql:   []string{`BEGIN`, `DELETE FROM shop.customer`, `ROLLBACK`},
	},
	{
		title: "Change the table, then use the new column",
		sql: []string{
			`ALTER TABLE shop.customer
  ADD COLUMN email VARCHAR(60) AFTER name,
  DROP COLUMN photo`,
			`INSERT INTO shop.customer (id, name, email)
  VALUES (4, 'Barbara', 'barbara@example.org')`,
		},
		want: []string{
			`ALTER shop.customer ALTER TABLE shop.customer ADD COLUMN email`,
			`INSERT shop.customer id=4 name="Barbara" email="barbara@example.org" level=1`,
		},
		ends: 1,
	},
	{
		title: "The end",
		sql:   []string{`TRUNCATE TABLE shop.customer`, `INSERT INTO shop.customer (id, name) VALUES (100, 'the last change')`},
		want:  []string{`TRUNCATE shop.customer`, `INSERT shop.customer id=100 name="the last change"`},
		ends:  1,
	},
}

// play does the steps one after the other, each when all of the last one has
// arrived.
func play(ctx context.Context, steps []step, db *servers.Server, t *tail, out *printer) error {
	conn, err := db.Connect(ctx)
	if err != nil {
		return err
	}
	defer conn.Quit()
	if _, err := conn.Execute("SET NAMES utf8mb4"); err != nil {
		return err
	}
	began, changes := time.Now(), 0
	for _, s := range steps {
		out.step(s.title)
		for _, q := range s.sql {
			out.sql(q)
		}
		for _, q := range s.sql {
			if _, err := conn.Execute(q); err != nil {
				return fmt.Errorf("%s: %w", q, err)
			}
		}
		if err := t.expect(ctx, s, out); err != nil {
			return fmt.Errorf("step %q: %w", s.title, err)
		}
		changes += len(s.want)
	}
	out.title("Everything arrived")
	out.note(fmt.Sprintf("%d changes, all, in order and as they should be, in %s.", changes, seconds(time.Since(began))))
	return nil
}

// expect shows what the client prints until all of a step has arrived. A change
// that is not the next one expected is an error, so nothing can be missing, come
// twice or out of order.
func (t *tail) expect(ctx context.Context, s step, out *printer) error {
	late := time.NewTimer(arrivalTimeout)
	defer late.Stop()
	want, ends := s.want, s.ends
	for len(want) > 0 || ends > 0 {
		select {
		case line, ok := <-t.lines:
			if !ok {
				return t.failure()
			}
			out.received(line)
			switch change := plain(line); {
			case strings.HasPrefix(change, "END "):
				ends--
			case strings.HasPrefix(change, "BEGIN ") || annotation.MatchString(change):
			case len(want) == 0 || !strings.HasPrefix(change, want[0]):
				return fmt.Errorf("got %q, want %q", change, want)
			default:
				want = want[1:]
			}
		case <-late.C:
			return fmt.Errorf("did not arrive within %s: %q, and %d ends of transactions", arrivalTimeout, want, ends)
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// annotation is a statement that MariaDB writes before the rows it changed.
var annotation = regexp.MustCompile(`^QUERY (INSERT|UPDATE|DELETE) `)

var (
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
	where   = regexp.MustCompile(`^\S+ \S+ \S+:\d+ `)
)

// plain is a line of the client without colours, time and position.
func plain(line string) string {
	return where.ReplaceAllString(colours.ReplaceAllString(line, ""), "")
}
