package api

import (
	"context"
	"errors"
	"slices"
	"sync"

	"github.com/towpath-cdc/towpath/internal/admin/database"
)

// fakeFleet has one server that answers; every other one is dead.
type fakeFleet struct {
	mu      sync.Mutex
	address string // ip of the one that answers
	port    int32
	running bool
	names   []string // that it runs
	log     string
	orders  []string // as they came
}

var errDead = errors.New("no route to host")

func (f *fakeFleet) is(s database.Server) bool {
	return s.AdminPort != nil && s.IP == f.address && *s.AdminPort == f.port
}

func (f *fakeFleet) set(change func(f *fakeFleet)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	change(f)
}

// ServerStatuses implements Fleet.
func (f *fakeFleet) ServerStatuses(_ context.Context, servers []database.Server) map[int64]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[int64]string{}
	for _, s := range servers {
		out[s.ID] = statusUnknown
		if f.is(s) {
			out[s.ID] = statusStopped
			if f.running {
				out[s.ID] = statusRunning
			}
		}
	}
	return out
}

// RunningInstances implements Fleet.
func (f *fakeFleet) RunningInstances(_ context.Context, servers []database.Server) map[int64][]string {
	f.mu.Lock()
	defer f.mu.Unlock()
	out := map[int64][]string{}
	for _, s := range servers {
		if f.is(s) {
			out[s.ID] = append([]string{}, f.names...)
		}
	}
	return out
}

// ServerAction implements Fleet.
func (f *fakeFleet) ServerAction(_ context.Context, s database.Server, action string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.is(s) {
		return false, errDead
	}
	f.orders = append(f.orders, action)
	want := action == "start"
	if f.running == want {
		return false, nil
	}
	f.running = want
	if !want {
		f.names = nil
	}
	return true, nil
}

// InstanceAction implements Fleet.
func (f *fakeFleet) InstanceAction(_ context.Context, s database.Server, destination, action string) (bool, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.is(s) {
		return false, errDead
	}
	f.orders = append(f.orders, action+" "+destination)
	i := slices.Index(f.names, destination)
	if i < 0 {
		return false, nil
	}
	if action == "release" {
		f.names = slices.Delete(f.names, i, i+1)
	}
	return true, nil
}

// Log implements Fleet.
func (f *fakeFleet) Log(_ context.Context, s database.Server, _ string, _ int) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.is(s) {
		return "", errDead
	}
	return f.log, nil
}
