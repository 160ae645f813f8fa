package app

import (
	"time"

	"servicesmtp.net/companion/app/mail"
	"servicesmtp.net/companion/app/say"
)

// Mood is the state of the engine, or of an account, in one word. The words
// are part of docs/json.md.
type Mood string

const (
	MoodStarting  Mood = "starting"
	MoodIdle      Mood = "idle"      // nothing waits
	MoodSending   Mood = "sending"   // mail leaves, or waits for its pace
	MoodPaused    Mood = "paused"    // the user paused it
	MoodWaiting   Mood = "waiting"   // held up, goes on by itself
	MoodAttention Mood = "attention" // a person must act
	MoodStopping  Mood = "stopping"
)

// State is everything that a skin shows without asking again. It is a value:
// nobody changes it after it was handed out. Seq grows by at least one with
// every change.
type State struct {
	Seq      uint64         `json:"seq"`
	At       time.Time      `json:"at"`
	Version  string         `json:"version"`
	Mood     Mood           `json:"state"`
	Sentence string         `json:"sentence"` // what a person should know, in one sentence
	Action   string         `json:"action"`   // what a person can do, or ""
	Said     Said           `json:"-"`        // the same, for any language
	Do       Deed           `json:"-"`        // what a skin can offer to do at once
	Listen   []ListenState  `json:"listen"`
	Accounts []AccountState `json:"accounts"`
	Spool    SpoolState     `json:"spool"`
	LastMail *LastMail      `json:"last_mail,omitempty"`
	Refused  *Refused       `json:"refused,omitempty"` // the program that could not get in, until one gets in

	Certificate *CertificateState `json:"certificate,omitempty"` // of the addresses with TLS
	Jobs        []JobState        `json:"jobs"`                  // those in progress, oldest first, at most MaxStateJobs
	Notices     []NoticeState     `json:"notices,omitempty"`     // of the service and of the spool, not yet seen, newest first, at most MaxStateNotices
}

// Said is a sentence and an action, for any language.
type Said struct {
	Sentence say.Words
	Action   say.Words
}

// Deed is the one thing that would help, where a skin can do it for the user.
type Deed string

// What a skin can offer.
const (
	DeedNone       Deed = ""
	DeedSetAccount Deed = "set_account" // enter an account for the first time
	DeedPassword   Deed = "password"    // enter the password again
	DeedResume     Deed = "resume"
	DeedRetry      Deed = "retry"  // try again now
	DeedQueue      Deed = "queue"  // look at the queue and decide
	DeedListen     Deed = "listen" // choose another port
	DeedLog        Deed = "log"    // look at the log
	DeedUsage      Deed = "usage"  // look at what was used
)

// MaxStateJobs bounds the jobs in a State; Jobs pages through all of them.
const MaxStateJobs = 20

// ListenState is one address of the local listener.
type ListenState struct {
	Address  string `json:"address"` // as bound, or as asked for
	TLS      bool   `json:"tls"`
	OK       bool   `json:"ok"`
	Sentence string `json:"sentence,omitempty"` // why not
	Action   string `json:"action,omitempty"`
	Offered  string `json:"offered,omitempty"` // a free address that would work
	Said     Said   `json:"-"`
	Do       Deed   `json:"-"`
}

// AccountState is one account's queue and what it waits for.
type AccountState struct {
	Name       string      `json:"name"`
	User       string      `json:"user"`
	Mood       Mood        `json:"state"`
	Sentence   string      `json:"sentence"`
	Action     string      `json:"action"`
	Hold       *HoldState  `json:"hold,omitempty"`
	Messages   int         `json:"queued_messages"`
	Recipients int         `json:"queued_recipients"`
	Sending    int         `json:"sending_batches"` // at work on a connection now
	Pace       PaceState   `json:"pace"`
	FinishAt   *time.Time  `json:"finish_at,omitempty"`
	Endpoint   string      `json:"endpoint,omitempty"` // the way out that worked last
	Quota      *QuotaState `json:"quota,omitempty"`
	Said       Said        `json:"-"`
	Do         Deed        `json:"-"`
}

// HoldState says why an account's queue waits.
type HoldState struct {
	Reason mail.HoldReason `json:"reason"`
	Since  time.Time       `json:"since"`
	Until  *time.Time      `json:"until,omitempty"`
	Reply  string          `json:"reply,omitempty"`  // the server's own words
	Detail string          `json:"detail,omitempty"` // technical cause
}

// PaceState is how fast an account may send and when the next batch may leave.
type PaceState struct {
	PerMinute int        `json:"recipients_per_minute"` // 0: no limit
	NextAt    *time.Time `json:"next_at,omitempty"`
	SlowedBy  string     `json:"slowed_by,omitempty"` // in words
	Slowed    say.Text   `json:"-"`                   // the same, for any language
}

// QuotaState is the plan's period as the relay last told it.
type QuotaState struct {
	Plan        string        `json:"plan"`
	Emails      int64         `json:"emails_used"`
	EmailsLimit int64         `json:"emails_limit"` // 0: none
	Bytes       mail.ByteSize `json:"bytes_used"`
	BytesLimit  mail.ByteSize `json:"bytes_limit"` // 0: none
	Reset       time.Time     `json:"reset"`
	AsOf        time.Time     `json:"as_of"`
}

// SpoolState is the store of accepted mail.
type SpoolState struct {
	OK       bool          `json:"ok"`
	Sentence string        `json:"sentence,omitempty"`
	Action   string        `json:"action,omitempty"`
	Bytes    mail.ByteSize `json:"bytes"`
	MaxBytes mail.ByteSize `json:"max_bytes"`
	Said     Said          `json:"-"`
	Do       Deed          `json:"-"`
}

// LastMail tells which program handed in the last message, and how.
type LastMail struct {
	At         time.Time `json:"at"`
	Family     string    `json:"family"`
	Hello      string    `json:"hello"`
	Auth       string    `json:"auth"`
	TLS        bool      `json:"tls"`
	Recipients int       `json:"recipients"`
}

// JobState is one job and how far it is.
type JobState struct {
	ID          mail.JobID    `json:"id"`
	Account     string        `json:"account"`
	Lane        string        `json:"lane"`
	From        string        `json:"from"`
	Size        mail.ByteSize `json:"size"`
	AcceptedAt  time.Time     `json:"accepted_at"`
	Recipients  int           `json:"recipients"`
	Batches     int           `json:"batches"`
	BatchesDone int           `json:"batches_done"`
	Counts      Counts        `json:"counts"`
	Refused     int           `json:"refused,omitempty"` // of those accepted, by their servers; only where jobs are listed or read
	State       string        `json:"state"`             // queued, sending, uncertain, done
	Damaged     bool          `json:"damaged,omitempty"` // its text is lost: it is kept and not sent
	FinishAt    *time.Time    `json:"finish_at,omitempty"`
	LastReply   string        `json:"last_reply,omitempty"`
	Report      *ReportState  `json:"report,omitempty"`    // that its sender got of failures
	ReportTo    string        `json:"report_to,omitempty"` // of a report: whom it goes to
	ReportOf    mail.JobID    `json:"report_of,omitempty"` // of a report: the job that it tells of
}

// ReportState is the latest report to a job's sender.
type ReportState struct {
	Job mail.JobID `json:"job"` // that takes it to him
	At  time.Time  `json:"at"`
}

// Counts are recipients by status.
type Counts struct {
	Queued    int `json:"queued"`
	Accepted  int `json:"accepted"`
	Deferred  int `json:"deferred"`
	Failed    int `json:"failed"`
	Uncertain int `json:"uncertain"`
	Cancelled int `json:"cancelled"`
}

// JobQuery selects jobs; the zero value is the first page of all.
type JobQuery struct {
	Account string // "": all
	Open    bool   // only those not yet done
	Cursor  string // from JobPage.Next
	Limit   int    // 0: 100; at most 1,000
}

// JobPage is one page of jobs, newest first.
type JobPage struct {
	Jobs []JobState `json:"jobs"`
	Next string     `json:"next,omitempty"`
}

// RecipientState is one recipient of a job.
type RecipientState struct {
	Address string    `json:"address"`
	Batch   int       `json:"batch"`
	Status  string    `json:"status"` // as at the companion; "delivered" and "failed" once the relay reports it
	Code    string    `json:"code,omitempty"`
	Reply   string    `json:"reply,omitempty"`
	At      time.Time `json:"at"`
}

// JobDetail is a job with one page of its recipients.
type JobDetail struct {
	JobState
	List []RecipientState `json:"list"`
	Next string           `json:"next,omitempty"`
}

// Usage is what an account used in its present period.
type Usage struct {
	Account     string        `json:"account"`
	Plan        string        `json:"plan"`
	From        time.Time     `json:"from"`
	To          time.Time     `json:"to"`
	Emails      int64         `json:"emails"`
	Bytes       mail.ByteSize `json:"bytes"`
	EmailsLimit int64         `json:"emails_limit"`
	BytesLimit  mail.ByteSize `json:"bytes_limit"`
	Days        []UsageDay    `json:"days"`
	AsOf        time.Time     `json:"as_of"`
	Stale       bool          `json:"stale"` // the relay could not be asked now
}

// UsageDay is one day of the account's zone.
type UsageDay struct {
	Day    string        `json:"day"` // "2026-11-25"
	Emails int64         `json:"emails"`
	Bytes  mail.ByteSize `json:"bytes"`
}

// AddressError is an address that failed for good, here or at the relay.
type AddressError struct {
	At      time.Time `json:"at"`
	Account string    `json:"account"`
	Address string    `json:"address"`
	Code    string    `json:"code"`   // "550 5.1.1"
	Reason  string    `json:"reason"` // in plain words; English, and the key of its translations
	Action  string    `json:"action"` // what helps, likewise
	Reply   string    `json:"reply"`  // the server's own words
	Source  string    `json:"source"` // "relay" (refused on hand-over) or "recipient" (the recipient's server)
	Job     string    `json:"job,omitempty"`
}

// ErrorQuery selects errors; the zero value is the first page of all.
type ErrorQuery struct {
	Account string
	Search  string // part of an address or of a reply
	Cursor  string
	Limit   int // 0: 1,000; at most 10,000
}

// ErrorPage is one page of errors, newest first.
type ErrorPage struct {
	Errors []AddressError `json:"errors"`
	Next   string         `json:"next,omitempty"`
	Stale  bool           `json:"stale"`
}

// AccountInput is what `account set` and the first start give.
type AccountInput struct {
	Name      string   `json:"name"`
	User      string   `json:"user"`
	Password  string   `json:"password,omitempty"` // "": keep the stored one
	Endpoints []string `json:"endpoints"`
	API       string   `json:"api"`
	CAFile    string   `json:"ca_file"`
	Senders   []string `json:"senders"`
	Skip      bool     `json:"skip_test"` // store without asking the relay first
}

// Login is what a mail program needs to hand mail in.
type Login struct {
	Address  string   `json:"address"` // one without TLS, where there is one
	All      []string `json:"all"`
	TLS      []string `json:"tls,omitempty"`     // those of All with TLS
	CAFile   string   `json:"ca_file,omitempty"` // what programs must trust to use them
	User     string   `json:"user"`
	Password string   `json:"password"` // "" where auth is off
	Auth     string   `json:"auth"`     // required or off
}

// AccountInfo is a configured account, without secrets.
type AccountInfo struct {
	Name       string   `json:"name"`
	User       string   `json:"user"`
	Endpoints  []string `json:"endpoints"`
	API        string   `json:"api"`
	CAFile     string   `json:"ca_file,omitempty"`
	Credential string   `json:"credential"` // "keyring" or "file"
	Senders    []string `json:"senders"`
}
