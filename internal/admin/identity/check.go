package identity

import (
	"context"
	"errors"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// Check tells whether the session of a Principal still lasts, for those who go on
// answering it: unlike Authenticate it does not let the session go on, so that a
// page that is left open ends with it. The error is ErrExpired, or that of the
// database.
func (s *Service) Check(ctx context.Context, tokenHash string) error {
	session, err := s.db.SessionByHash(ctx, tokenHash)
	switch {
	case errors.Is(err, database.ErrNotFound):
		return ErrExpired
	case err != nil:
		return err
	case s.o.Now().Sub(session.LastSeen) >= s.o.Idle:
		return ErrExpired
	}
	return nil
}
