//go:build !race

package pipeline

// raceDetector says that sync.Pool drops things at random.
const raceDetector = false
