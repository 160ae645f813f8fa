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
//   - A damaged database is replaced by what can be read of it, and a person is
//     told (see Damage). The damaged files are kept.
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
// testdata/states.txt has every change from every state, those that are refused
// too. Beside the state a batch may be held: *cancelling* (a person took the job
// back; the relay must close the key first) or *damaged* (the body is not
// there, or not what was accepted). A held batch never begins. A batch is *bound* to its store once its
// dot may have left: it is offered to no other store again, unless a person
// says so. Keyless takes the store's name away from a batch on its way.
//
// # States of a recipient
//
// A recipient has the state of the batch that has him; what is final is stored
// with the batch that ended.
//
//	queued ──"later"──▶ deferred ──"later"──▶ deferred ──5 days, 12 times──▶ failed
//	   queued, deferred ──250──▶ accepted
//	                    ──5yz──▶ failed
//	                    ──MarkUncertain──▶ uncertain ──Resolve again──▶ queued, deferred
//	                    ──Cancel, FinishClosed──▶ cancelled
//	uncertain ──Resolve──▶ uncertain for good
//
// Accepted, failed and cancelled are never left. "Later" moves him into a new
// batch under the next number, in the transaction that ends the old one.
//
// # Damage
//
// SQLITE_CORRUPT, a row that makes no sense, an index that does not find what
// waits, or a log that is cut or broken lead to a salvage: at Open, or at the
// call that met it, which takes longer and then has its answer. The files go to
// quarantine/<time>/, the cells of every page that can be read
// (internal/lite/pages) into a new database, and what they say is judged:
//
//   - A batch goes on where its row, its job's row and the message (by its sum)
//     are whole and the counts agree. One that was on its way is unknown at
//     Open; while sessions are at work it stays theirs.
//   - Where rows contradict each other, a person decides (uncertain).
//   - Recipients of a lost batch have failed and say why; its number is not
//     used again. A job whose row is lost has failed as a whole, with its
//     recipients where they can be read; its message is in the quarantine.
//   - A lost message is a damaged job: kept, not sent, whole again when its file
//     is put back.
//   - What is owed to senders is counted anew; the mark of what was told never
//     goes back: a report that is there was made.
//   - Where an older state may have been read (a log that is cut or broken, or
//     a list of free pages that is not whole), everything that is ready becomes
//     unknown: the relay is asked before anything is offered.
//   - Attempts that are lost count for the pace at the latest moment at which
//     they can have left, and numbers that nobody speaks of as full batches of
//     every account. The engine counts one more minute as sent.
//
// A second salvage within minutes is not tried: ErrDamagedAgain. What was in a
// part of a file that is gone, and nowhere else, leaves no trace; the report
// says that there was such a part. The end of a log that a power cut tore is
// forgotten silently, as SQLite does: nobody was told that it was taken.
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
//   - Whatever page of database or log is damaged: nobody gets a message twice,
//     everybody is sent, waits, has failed or is reported, and what goes out
//     is what came in (TestEveryPageDamaged, TestDamageWhileOpen,
//     TestTruncatedDatabase, TestDamagedLog, TestWhatMayHaveLeftIsAskedFirst,
//     TestSalvageSurvivesAnEndAtEachStep, TestSalvageWhileWorkIsInHand).
//   - Only a database that is whole in its own file takes the place of another
//     (TestWhatIsRebuiltIsWholeOnANearlyFullDisk), and the log of the new one is
//     never taken for that of the old (TestAMarkLeftBehindTakesNoLogAway).
//   - No stored message is swept away because an index does not find it
//     (TestAFileThatAnIndexDoesNotFindIsNoLeftover).
//   - Whoever meets a list of recipients that cannot be read has it rebuilt
//     (TestEveryReaderOfAListStartsASalvage), and no sender is told twice for it
//     (TestNobodyIsToldTwiceAfterASalvage).
//   - Nothing goes faster for what was lost (TestLostAttemptsCount).
//   - A refused change changes nothing (TestStateMatrix).
//
// # Storage
//
// One SQLite file in WAL mode with synchronous=FULL. A single goroutine, owned
// by the Spool and ended by Close, makes every change: it takes the requests
// that wait, runs each in a savepoint, commits once, and answers all of them,
// so that any number of connections share a sync. Bodies above inlineMax are
// files, synced before the transaction that names them begins. A second
// goroutine holds what waits against its indexes, checks the database after an
// unclean end, and prunes history in small transactions.
package spool
