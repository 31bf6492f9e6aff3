package filter

// Expressions are the single expressions of a list, as Compile takes it apart and
// in the order in which they are written; each can be compiled by itself.
func Expressions(pattern string) []string {
	if len(pattern) > MaxPattern {
		return nil
	}
	return split(pattern)
}
