// Package spool is the durable store of the companion: accepted messages, their
// batches, what became of each recipient, and when something left.
//
// It promises:
//   - Incoming.Commit returns nil only after the body, the folder that names
//     it, and the write-ahead log are synced. What it returned nil for survives
//     kill -9 and power loss, and ends as an outcome of every recipient.
//   - A batch's number, account, recipients and bytes never change after that,
//     and a number is never used twice, so that the key the relay accepts once
//     always means the same.
//   - An attempt is on disk before Begin returns, hence before any dial.
//   - A change that does not fit the present state returns ErrState and changes
//     nothing; so does one that fails for lack of space, with ErrDiskFull.
//   - A failure of which the sender is to be told stays a debt, and the message
//     stays with it, until the report is stored: both in one transaction.
//   - One process at a time has the spool open, by a lock that the operating
//     system releases when the process ends.
//
// It never sends, never decides when something is sent, never writes an
// address or a part of a message into a log or an error, and never deletes
// what it does not know to be its own.
//
// # Reports to senders
//
// A failure is *owed* when its message has a sender and NOTIFY asks for it; the
// job then counts it. DueReports says which jobs' senders are to be told now
// (see DueReport), CommitReport stores the report and settles the debt. The mark
// is the highest outcome told, so that a failure that comes while a report is
// written belongs to the next one. A job that is done and owes keeps its body,
// which counts against MaxSize no longer, and is not pruned.
//
// # States of a batch
//
// They are those of docs/protocol.md. "Sent" is not stored: after a crash the
// final dot of every batch in sending may have left, so Open makes it unknown.
//
//	ready ──Begin──▶ sending ──Finish──▶ done
//	  ▲ ▲              │  │
//	  │ └───Return─────┘  └──Unknown, Open──▶ unknown ──Finish, FinishClosed──▶ done
//	  │                                       │     │
//	  └──────────────Replay───────────────────┘     └──MarkUncertain──▶ uncertain
//	uncertain ──Resolve──▶ ready (again) or done
//	ready ──Cancel, never dialled──▶ done
//	ready, dialled before ──FinishClosed, Finish (the relay had it)──▶ done
//
// Beside the state a batch may be held: *cancelling* (a person took the job
// back; the relay must close the key first) or *damaged* (the body is
// missing). A held batch never begins. A batch is *bound* to its store once its
// dot may have left: it is offered to no other store again, unless a person
// says so.
//
// # Invariants, and the tests that hold them
//
//   - Every recipient of a job is in exactly one batch that is live, or has one
//     final outcome (TestModel).
//   - The counts of a job add up to its recipients, and Totals to its jobs
//     (TestModel, checked against the rows after every step).
//   - Numbers are 1..n without a gap; recipients of a number never change
//     (TestModel).
//   - What was acknowledged is there after kill -9 at any moment (TestKill,
//     TestCrashBetweenFileAndRow, and TestModel's crash step).
//   - Each failure that is owed is told in one report, whatever happens between
//     (TestModel, TestKill, TestCrashAroundAReport, TestAReportIsStoredOnce), and
//     nobody else is told (TestWhatTheSenderIsToldAndWhen).
//   - A failed request leaves nothing behind and fails no other
//     (TestOneFailingRequestFailsAlone, TestFileFaults, TestDatabaseFull,
//     TestDiskFull).
//
// # Storage
//
// One SQLite file in WAL mode with synchronous=FULL. A single goroutine, owned
// by the Spool and ended by Close, makes every change: it takes the requests
// that wait, runs each in a savepoint, commits once, and answers all of them,
// so that any number of connections share a sync. Bodies above inlineMax are
// files, synced before the transaction that names them begins. A second
// goroutine checks the database after an unclean end and prunes history.
package spool
