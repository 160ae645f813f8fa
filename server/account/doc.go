// Package account holds the rules of the service: what a plan contains, when
// it begins and ends, whether one more message fits, what a month costs, and
// what a customer must be told. docs/service.md tells them with examples.
//
// It is pure: rows and a time go in, changed rows come out. It reads no clock,
// keeps no counter and does no input or output. Every event is one method of
// Rows; the store loads an account's rows, calls it within a transaction and
// writes back the Changes. IDs come from outside. Times are written in UTC;
// amounts and uses are int64; no floats.
//
// # Words
//
// An *e-mail* is one message to one recipient, so a message of S bytes to N
// recipients is charged N e-mails and N × S bytes. A *subscription* is a right
// to a plan from Start (included) to End (not included). A *contract* is the
// first subscription and those that upgrades put in its place. A *period* is a
// calendar month in the account's zone, or a monthly plan's 30 days, cut to
// the contract. *Use* is one number: e-mails, or for a bandwidth plan the
// larger of bytes and e-mails × 10 KB. A *credit* is used after the allowance
// and before a surcharge. A *tier* is a surcharge as a total for the month.
//
// # States
//
//	order         waiting → paid (Pay) → active (Activate) → refunded (Refund)
//	              waiting → cancelled (Cancel); a surcharge ends as paid
//	subscription  active → replaced (an upgrade), ended (Finish), refunded (Refund)
//	account       waiting → active → ended, and back by a renewal (StatusAt)
//	period        open → closed (Close); ClosedAt says when
//
// What a subscription gives is said by its times, never by its state: no job
// has to run for a plan to end or for a renewal to begin. An upgrade, a
// renewal and a chained plan are activated by the payment's recording; a new
// account by the operator. An event that is not allowed is an *Error with a
// Reason, and changes nothing.
//
// # Invariants
//
// In brackets the tests that fail when one is broken.
//
//   - What was used is within the allowance, or paid by credits or a tier, or
//     named as uncovered; nothing is lost and nothing billed twice
//     [TestUseIsNeverLost, TestUncoveredIsNotBilled, TestYear].
//   - A credit is never negative nor above its grant, pays before a tier, and
//     ends with its contract [TestUseIsNeverLost, TestCreditPaysBeforeSurcharge,
//     Test55000Chained, TestNewPlanAfterRefund].
//   - The tier is the smallest that covers; whole 500 MB of what is unused are
//     credited [TestFiveCredits, TestUseIsNeverLost], but not past the
//     contract's end [TestLastMonthGrantsNothing].
//   - Closing twice is closing once [TestCloseRefuses, TestClosingWhenever].
//   - Closing late is closing in time: nothing at or after the period's end
//     counts [TestClosingLooksAtNothingLater, TestClosingWhenever].
//   - Earlier periods are closed first, and before a new one is used
//     [TestCloseRefuses, TestNewPlanAfterRefund].
//   - The order of a day's events, and of rows, makes no difference to a bill
//     [TestOrderOfADayMakesNoDifference].
//   - What the limit lets in, closing covers [TestLimitIsWhatClosingCovers,
//     TestYear]; a message fits whole or not at all [TestAllOrNothing,
//     TestNeverAboveTheLimit].
//   - Periods leave no gap and never cross a contract's ends
//     [TestPeriodsTile, TestPeriodsOfContractsTile].
//   - An upgrade leaves the contract's end and credits alone, and is rounded
//     in the customer's favour [TestUpgrade, TestUpgradePrice].
//   - A notice comes once, and steps only go up [TestReviewSteps, TestReviewOnce].
//   - Numbers that a database can hold never overflow [TestHugeNumbers].
//
// TestYear lives a year with 1,000 accounts and compares every bill and every
// answer with a bookkeeper that reckons in another way; with -v it prints ten
// accounts for checking by hand.
package account
