package server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/internal/meta"
	"github.com/towpath-cdc/towpath/protocol"
)

// The error codes of an Ack.
const (
	codeBad       = 400 // whatever went wrong with a request
	codeNoTarget  = 401 // destination or client id is missing
	codeNoBatchID = 402 // an ack without a batch id
)

// answer is what came of a request.
type answer struct {
	destination string           // of the request, "" when it could not be read
	message     protocol.Message // the reply; nil when there is none to send
	batch       *batch           // in place of message, when there is data
	code        int              // error code of message, 0 for none
	uncounted   bool             // the request leaves no trace in the statistics
	closing     error            // the connection is to be closed instead of a reply
}

// empty reports whether a is the reply to a GET that brought nothing.
func (a *answer) empty() bool {
	_, ok := a.message.(*protocol.Messages)
	return ok
}

// request answers one packet. The error says that the connection is to be
// closed; what is wrong with the request itself is told to the client.
func (s *session) request(soft, hard context.Context, p *protocol.Packet) error {
	start := time.Now()
	a := s.answer(soft, hard, p)
	if a.closing != nil {
		return a.closing
	}
	latency := time.Since(start)
	n, err := s.send(hard, &a)
	if !a.uncounted {
		s.server.stats.count(a.destination, p.Type, &a, n, latency)
	}
	return err
}

// send writes the reply, if any, and returns its length in bytes with the frame
// header. A request without a reply counts as a header, as in Canal.
func (s *session) send(hard context.Context, a *answer) (int, error) {
	switch {
	case a.batch != nil:
		return s.sendBatch(hard, a.batch)
	case a.message != nil:
		return s.reply(a.message)
	}
	return protocol.HeaderLength, nil
}

func (s *session) answer(soft, hard context.Context, p *protocol.Packet) answer {
	switch p.Type {
	case protocol.TypeSubscription:
		m, err := protocol.ParseSub(p.Body)
		return s.answerTo(&m, m.Destination, m.ClientID, "Sub", err, func() (answer, error) { return s.subscribe(hard, &m) })
	case protocol.TypeUnsubscription:
		m, err := protocol.ParseUnsub(p.Body)
		return s.answerTo(&m, m.Destination, m.ClientID, "Unsub", err, func() (answer, error) { return s.unsubscribe(hard, &m) })
	case protocol.TypeGet:
		m, err := protocol.ParseGet(p.Body)
		return s.answerTo(&m, m.Destination, m.ClientID, "Get", err, func() (answer, error) { return s.get(soft, hard, &m) })
	case protocol.TypeClientAck:
		m, err := protocol.ParseClientAck(p.Body)
		return s.answerTo(&m, m.Destination, m.ClientID, "Ack", err, func() (answer, error) { return s.ack(hard, &m) })
	case protocol.TypeClientRollback:
		m, err := protocol.ParseClientRollback(p.Body)
		return s.answerTo(&m, m.Destination, m.ClientID, "Rollback", err, func() (answer, error) { return s.rollback(hard, &m) })
	}
	return answer{
		message: failure(codeBad, fmt.Sprintf("packet type: %s is NOT supported!", p.Type)),
		code:    codeBad,
	}
}

// answerTo handles what all requests have in common: reading them, and the
// fields that must not be empty. name is Canal's word for the request.
func (s *session) answerTo(m fmt.Stringer, destination, clientID, name string, err error, handle func() (answer, error)) answer {
	var a answer
	switch {
	case err != nil:
		a = s.exception(err)
	case destination == "" || clientID == "":
		a = answer{
			message: failure(codeNoTarget, fmt.Sprintf("destination or clientId is null. %s: %s", name, m)),
			code:    codeNoTarget,
		}
	default:
		if a, err = handle(); err != nil {
			a = s.exception(err)
		}
	}
	a.destination = destination
	return a
}

// failure is the reply that tells an error.
func failure(code int32, message string) *protocol.Ack {
	return &protocol.Ack{ErrorCode: protocol.Some(code), ErrorMessage: message}
}

// exception is the answer to a request that ended in err.
func (s *session) exception(err error) answer {
	text := fmt.Sprintf("something goes wrong with channel: %s, exception: %s", s.channel, javaTrace(err))
	return answer{message: failure(codeBad, text), code: codeBad}
}

// instance finds who a request is for and from.
func (s *session) instance(ctx context.Context, destination, clientID string, start bool) (Instance, meta.Client, error) {
	id, err := parseClientID(clientID)
	if err != nil {
		return nil, meta.Client{}, err
	}
	instance, err := s.server.registry.Lookup(ctx, destination, start)
	if errors.Is(err, ErrNotStarted) {
		return nil, meta.Client{}, delivery.NotStarted(destination)
	}
	if err != nil {
		return nil, meta.Client{}, err
	}
	s.server.stats.know(destination)
	client := meta.Client{Destination: destination, ID: id}
	s.isOf(client)
	return instance, client, nil
}

func (s *session) subscribe(ctx context.Context, m *protocol.Sub) (answer, error) {
	instance, client, err := s.instance(ctx, m.Destination, m.ClientID, true)
	if err != nil {
		return answer{}, err
	}
	client.Filter = m.Filter
	return answer{message: &protocol.Ack{}}, instance.Subscribe(ctx, client)
}

func (s *session) unsubscribe(ctx context.Context, m *protocol.Unsub) (answer, error) {
	instance, client, err := s.instance(ctx, m.Destination, m.ClientID, false)
	if err != nil {
		return answer{}, err
	}
	client.Filter = m.Filter
	return answer{message: &protocol.Ack{}}, instance.Unsubscribe(ctx, client)
}

func (s *session) ack(ctx context.Context, m *protocol.ClientAck) (answer, error) {
	switch m.BatchID {
	case 0:
		text := fmt.Sprintf("batchId should assign value. Ack: %s", m)
		return answer{message: failure(codeNoBatchID, text), code: codeNoBatchID}, nil
	case protocol.NoBatch: // what clients send after a GET that brought nothing
		return answer{uncounted: true}, nil
	}
	instance, client, err := s.instance(ctx, m.Destination, m.ClientID, false)
	if err != nil {
		return answer{}, err
	}
	return answer{}, instance.Ack(ctx, client, m.BatchID)
}

func (s *session) rollback(ctx context.Context, m *protocol.ClientRollback) (answer, error) {
	instance, client, err := s.instance(ctx, m.Destination, m.ClientID, false)
	if err != nil {
		return answer{}, err
	}
	return answer{}, instance.Rollback(ctx, client, m.BatchID)
}
