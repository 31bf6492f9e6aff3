package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// maxPasswordLine bounds what is read of standard input.
const maxPasswordLine = 4096

// runAdminPasswd sets the password of a user in the database, for who is locked out
// or goes back to a Java admin. Exit codes as of runAdmin.
func runAdminPasswd(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var at adminFlags
	flags := newFlags("admin passwd", "Sets the password of a user: the first line of standard input. The admin may be running.", stderr)
	at.register(flags)
	user := flags.String("user", "admin", "`NAME` of the user")
	canal := flags.Bool("canal-hash", false, "store Canal's hash as well, by which a Java admin lets the user in")
	if code, ok := parseFlags(flags, args); !ok {
		return code
	}
	password, err := readPassword(stdin)
	if err == nil {
		err = setPassword(ctx, at, *user, password, *canal)
	}
	if err != nil {
		fmt.Fprintf(stderr, "towpath admin passwd: %v\n", err)
		return exitError
	}
	fmt.Fprintf(stdout, "The password of %s is set; the user's sessions have ended.\n", *user)
	return exitOK
}

// setPassword also lets a user log in who has been disabled.
func setPassword(ctx context.Context, at adminFlags, name, password string, canal bool) error {
	s, err := at.load(true)
	if err != nil {
		return err
	}
	db, err := database.Open(ctx, s.Database())
	if err != nil {
		return err
	}
	defer db.Close()
	users := identity.New(db, identity.Options{KeepCanalHash: canal || s.KeepCanalHash})
	if _, err := users.EnsureFirstUser(ctx, s.FirstPassword); err != nil {
		return err
	}
	u, err := db.UserNamed(ctx, name)
	if errors.Is(err, database.ErrNotFound) {
		return fmt.Errorf("there is no user %q", name)
	}
	if err != nil {
		return err
	}
	by := database.Actor{Username: "towpath admin passwd"}
	if err := users.SetPassword(ctx, by, u.ID, password, false); err != nil || !u.Disabled {
		return err
	}
	u.Disabled = false
	return db.UpdateUser(ctx, by, u)
}

// runAdminHash prints what a server has as canal.admin.passwd.
func runAdminHash(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	flags := newFlags("admin hash", "Prints Canal's hash of a password, the first line of standard input, as servers have it in canal.admin.passwd.", stderr)
	if code, ok := parseFlags(flags, args); !ok {
		return code
	}
	password, err := readPassword(stdin)
	if err != nil {
		fmt.Fprintf(stderr, "towpath admin hash: %v\n", err)
		return exitError
	}
	fmt.Fprintln(stdout, identity.HashCanal(password))
	return exitOK
}

// readPassword reads one line.
func readPassword(in io.Reader) (string, error) {
	line, err := bufio.NewReader(io.LimitReader(in, maxPasswordLine)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	line = strings.TrimRight(line, "\r\n")
	if line == "" {
		return "", errors.New("no password on standard input")
	}
	return line, nil
}
