package source

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/towpath-cdc/towpath/internal/logging"
	"github.com/towpath-cdc/towpath/internal/mysql"
)

// locate finds the start position of an attempt and says in the log how.
func (s *Source) locate(ctx context.Context, probe prober, server endpoint, facts mysql.Facts) (start, error) {
	began, routine := time.Now(), logging.Routine(ctx)
	s.log.WarnContext(routine, "---> begin to find start position, it will be long time for reset or first position")
	st, err := s.resolve(ctx, probe, server, facts)
	if err != nil {
		return start{}, fmt.Errorf("find start position: %w", err)
	}
	s.log.WarnContext(routine, fmt.Sprintf("---> find start position successfully, %s cost : %dms , the next step is binlog dump",
		canalText(st.position), time.Since(began).Milliseconds()))
	asked := "nothing"
	if !st.asked.IsZero() {
		asked = st.asked.String()
	}
	if st.reset {
		routine = ctx // changes are skipped
	}
	s.log.WarnContext(routine, fmt.Sprintf("start position: asked %s -> resolved %s (%s)", asked, st.position, st.how))
	return st, nil
}

func (s *Source) resolve(ctx context.Context, probe prober, server endpoint, facts mysql.Facts) (start, error) {
	o := &s.o.Instance
	r := &resolver{
		probe: probe, server: server, facts: facts, gtidMode: o.GTIDMode, history: s.o.TableHistory,
		standby: o.Standby.Address != "", fallback: o.Fallback, reset: o.AutoResetToLatest, files: o.Local.Dir != "",
		logf: func(format string, args ...any) {
			s.log.WarnContext(logging.Routine(ctx), fmt.Sprintf(format, args...))
		},
	}
	c, stored, err := s.cursor(ctx)
	if err != nil {
		return start{}, fmt.Errorf("read stored position: %w", err)
	}
	asked := c.Position
	lost, cause := s.takeLost()
	var st start
	switch {
	case errors.Is(cause, ErrNeedTransactionStart):
		asked = lost
		st, err = r.transactionStart(ctx, lost)
	case cause != nil:
		st, err = r.lost(ctx, lost, cause)
	case stored:
		st, err = r.resume(ctx, c)
	default:
		asked = r.configured(o.Master.Start.GTIDSet)
		st, err = r.initial(ctx, asked)
	}
	if diagnose(err, o.User).kind == lostPosition {
		st, err = r.lost(ctx, asked, err) // found out while searching
	}
	if err == nil && st.reset && s.o.Hooks.Reset != nil {
		s.o.Hooks.Reset(st.asked, st.position)
	}
	return st, err
}
