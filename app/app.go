// Package app is the companion's engine behind one façade: commands go in as
// methods with a context, State comes out as a value. The terminal and the
// window are two skins over it.
//
// It promises that no command blocks delivery, that State is immutable and
// numbered, and that a mail once acknowledged to a mail program stays in the
// spool until the relay has it or a person took it back. run.go joins the
// stages (proxy, spool, batch, pace, uplink, reports), which do not know each
// other; sender.go decides, for each account, what leaves when.
//
// Every goroutine is started by Run and has ended when Run returns.
package app
