// Package settings reads what the admin is configured with: Canal Admin's
// application.yml, the environment and definitions of the command line, by Spring's
// rules as far as such files use them. Load is the way in; Settings has every value
// with its type.
//
// A key may be written with dots at any level (spring.datasource: {url: …}), and
// without regard to case and dashes (adminUser, admin-user). A definition (-D) goes
// before the environment, which goes before the file. In the environment a key has
// its own name, or the upper-case one (CANAL_ADMINPASSWD). Values may refer to
// others: ${key}, ${key:default}.
//
// The package neither opens the database nor listens. It writes one file: an
// application.yml where there is none.
package settings
