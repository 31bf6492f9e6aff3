package logging

import "context"

// routineKey marks a context, see Routine.
type routineKey struct{}

// Routine returns a context for lines that have the level of a warning only because
// Canal's have it: nothing is wrong, and whoever gathers what is leaves them out.
func Routine(ctx context.Context) context.Context {
	return context.WithValue(ctx, routineKey{}, true)
}

// IsRoutine says whether a line was logged with a context of Routine.
func IsRoutine(ctx context.Context) bool { return ctx != nil && ctx.Value(routineKey{}) != nil }
