// Package e2e has the end-to-end tests: the built program between real databases
// and real clients, with processes that are killed, connections that are cut and
// transactions larger than memory. The claim they test is that every change
// arrives at least once, in order, with nothing missing.
//
// There is nothing here but tests.
//
// Environment:
//
//	TOWPATH_E2E_KILLS  kills of the server in TestKill, 50 by default
//	TOWPATH_E2E_SEED   seed of TestKill, by default a new one each time; it is printed
//	TOWPATH_E2E_BIG    bytes of rows in the large transaction of TestBig, 300 MB by default
//	TOWPATH_REQUIRE_SERVERS  fail where a server or a client is not installed, in place of skipping
package e2e
