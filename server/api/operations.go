package api

import (
	"context"
	"net/http"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
)

// version is of the protocol; see docs/protocol.md, "Compatible versions".
const version = "1.0.0"

// Page is what every list takes; huma reads embedded fields of exported types only.
type Page struct {
	Cursor string `query:"cursor" maxLength:"200" doc:"From an earlier answer; empty: from the beginning"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"500" doc:"Most entries in one answer"`
}

// waiting is a list that can be waited for.
type waiting struct {
	Page
	Wait int `query:"wait" minimum:"0" maximum:"60" default:"0" doc:"Seconds to wait for the first entry"`
}

// Days is a span of days of the account's zone.
type Days struct {
	From string `query:"from" format:"date" doc:"First day; default: the present period's"`
	To   string `query:"to" format:"date" doc:"Day after the last; default: the present period's"`
}

type (
	noInput   struct{}
	deviceIn  struct{ Body DeviceRequest }
	policyIn  struct{ Body OveragePolicy }
	batchesIn struct{ Body BatchKeys }
	errorsIn  struct {
		Page
		Accept string `header:"Accept" hidden:"true"`
	}
	ackIn struct {
		ID int64 `path:"id" minimum:"1"`
	}
)

// out wraps an answer as huma wants it.
type out[T any] struct{ Body T }

// describe is the head of the OpenAPI document.
func describe() huma.Config {
	c := huma.DefaultConfig("ServiceSMTP relay", version)
	// No pages, no $schema fields: the document is in relayclient/openapi.yaml.
	c.OpenAPIPath, c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", "", nil
	c.Info.Description = "What the companion reads from the relay. Times are RFC 3339, sizes bytes, days those of the account's zone. " +
		"New fields may appear at any time."
	c.Servers = []*huma.Server{{URL: "/v1"}}
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"login":   {Type: "http", Scheme: "basic", Description: "The SMTP login"},
		"bearer":  {Type: "http", Scheme: "bearer", Description: "A token from POST /devices"},
		"partner": {Type: "http", Scheme: "bearer", Description: "A partner's token, which the operator makes: relayd partner token NAME"},
	}
	return c
}

// Document is the API as OpenAPI 3.0 in YAML, from which relayclient is made.
func Document() ([]byte, error) {
	a := humago.NewWithPrefix(http.NewServeMux(), "/v1", describe())
	(*Server)(nil).register(a)
	return a.OpenAPI().DowngradeYAML()
}

// register hangs the operations on the API.
func (s *Server) register(a huma.API) {
	bearer := []map[string][]string{{"bearer": {}}}
	op := func(id, method, path, summary string, errs ...int) huma.Operation {
		return huma.Operation{OperationID: id, Method: method, Path: path, Summary: summary, Security: bearer,
			Errors: append([]int{http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests}, errs...)}
	}
	device := op("createDevice", http.MethodPost, "/devices", "Make a token for one computer")
	device.Security, device.DefaultStatus = []map[string][]string{{"login": {}}}, http.StatusCreated
	add(s, a, device, s.createDevice)
	add(s, a, op("getAccount", http.MethodGet, "/account", "The account"), s.account)
	add(s, a, op("setOveragePolicy", http.MethodPatch, "/account/overage-policy", "Choose what happens at the limit"), s.setOverage)
	add(s, a, op("getQuota", http.MethodGet, "/quota", "The plan's present period"), s.quota)
	add(s, a, op("getUsage", http.MethodGet, "/usage", "What was sent, by day"), s.usage)
	add(s, a, op("checkBatches", http.MethodPost, "/batches/check", "What became of batches whose answer was lost"), s.checkBatches)
	add(s, a, op("closeBatches", http.MethodPost, "/batches/close", "Close batches, so that they can no longer be accepted"), s.closeBatches)
	add(s, a, op("getEvents", http.MethodGet, "/events", "What became of accepted recipients", http.StatusGone), s.events)
	list := op("getErrors", http.MethodGet, "/errors", "Addresses that failed for good", http.StatusGone)
	list.Responses = errorResponses(a.OpenAPI().Components.Schemas)
	add(s, a, list, s.failures)
	add(s, a, op("getReport", http.MethodGet, "/reports/{month}", "The report of one month", http.StatusNotFound), s.report)
	add(s, a, op("getPolicy", http.MethodGet, "/policy", "Pace and limits"), s.policy)
	add(s, a, op("getEndpoints", http.MethodGet, "/endpoints", "Where mail can be handed in"), s.endpoints)
	add(s, a, op("getNotices", http.MethodGet, "/notices", "Words of the service for the customer", http.StatusGone), s.notices)
	add(s, a, op("ackNotice", http.MethodPost, "/notices/{id}/ack", "Say that a notice was seen", http.StatusNotFound), s.ackNotice)
	s.registerSending(a)
	s.registerBilling(a)
	s.registerPartners(a)
	exemplify(a.OpenAPI().Components.Schemas)
	// An older relay ignores what a newer companion sends beside the known.
	for _, schema := range a.OpenAPI().Components.Schemas.Map() {
		schema.AdditionalProperties = nil
	}
}

// add registers one operation, with every error turned into a problem that
// tells nothing of the inside.
func add[I, O any](s *Server, a huma.API, op huma.Operation, handle func(context.Context, *I) (*O, error)) {
	huma.Register(a, op, func(ctx context.Context, in *I) (*O, error) {
		answer, err := handle(ctx, in)
		if err != nil {
			return nil, s.problem(err)
		}
		return answer, nil
	})
}

// errorResponses describes the one answer that has two forms.
func errorResponses(schemas huma.Registry) map[string]*huma.Response {
	return map[string]*huma.Response{"200": {
		Description: "JSON, or CSV with everything from the cursor on",
		Content: map[string]*huma.MediaType{
			"application/json": {Schema: schemas.Schema(reflect.TypeFor[Errors](), true, "")},
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		},
	}}
}
