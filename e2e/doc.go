// Package e2e holds black-box scenarios: the built programs, real mail
// programs as clients, and a far mail server that remembers what it got. Only
// commands, settings, SMTP and the API are used; nothing of the engine or the
// relay is imported.
package e2e
