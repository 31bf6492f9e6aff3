package servers

import "testing"

// TestStart starts each kind, writes to it and starts it again.
func TestStart(t *testing.T) {
	for _, k := range Kinds {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := ForTest(t, k)
			s.MustExec(t, "CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)", "INSERT INTO d.t VALUES (1)")
			if err := s.Stop(); err != nil {
				t.Fatal(err)
			}
			if err := s.Up(t.Context()); err != nil {
				t.Fatal(err)
			}
			for _, q := range []string{"SELECT COUNT(*) FROM d.t", "SELECT @@log_bin"} {
				rows, err := s.Query(t.Context(), q)
				if err != nil {
					t.Fatal(err)
				}
				if rows[0][0] != "1" {
					t.Errorf("after a restart %s = %v, want 1", q, rows[0])
				}
			}
		})
	}
}
