package delivery

import "context"

type presenceKey struct{}

// WithPresence returns a context for the gets of one connection. With the desk
// locked, right before it takes a batch, a get asks present whether the client is still
// there. An error is that of the get, which then takes nothing.
//
// A client that gives its connection up, connects again and rolls back counts on getting
// everything from there. A get that was still on its way on the old connection, and
// comes to be served after that, would take a batch out of the middle.
func WithPresence(ctx context.Context, present func() error) context.Context {
	return context.WithValue(ctx, presenceKey{}, present)
}

// Present says why the client of a get is not there any more; nil when it is, or when
// nobody knows.
func Present(ctx context.Context) error {
	if present, ok := ctx.Value(presenceKey{}).(func() error); ok {
		return present()
	}
	return nil
}
