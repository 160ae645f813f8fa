package api

import "github.com/danielgtaylor/huma/v2"

// exemplify adds examples of whole answers to the document. Fields of their
// own have theirs as tags.
func exemplify(schemas huma.Registry) {
	const (
		key = "sb1.01JDJ8Y7QX4Z5V0M3T9C2B6K8N.1"
		id  = "01JDJ9A2M8R6W3F5H7K0P4S1TV"
		sum = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
	)
	type object = map[string]any
	recipient := object{"address": "anna@example.net", "decision": "accepted", "code": 250, "enhanced": "2.0.0", "reply": ""}
	partnerAccount := object{"id": id, "reference": "order-1041", "name": "flowers", "email": "anna@example.net", "plan": "", "customer": "K-77",
		"status": "waiting", "overage": "stop", "zone": "Europe/Rome", "created_at": "2027-01-07T09:30:00Z"}
	partnerOrder := object{"id": "01JDJ9A2M8R6W3F5H7K0P4S1TW", "kind": "new", "plan": "standard", "price_minor": 8900, "paid_minor": 0, "missing_minor": 8900, "currency": "EUR", "state": "waiting",
		"created_at": "2027-01-07T09:30:00Z"}
	for name, example := range map[string]any{
		"DeviceRequest": object{"name": "office computer", "scopes": []string{"read", "send"}},
		"BatchKeys":     object{"envids": []string{key}},
		"Submission": object{"batches": []object{{"envid": key, "from": "news@example.com", "body": sum, "not_before": "2027-01-08T07:00:00Z",
			"recipients": []object{{"address": "anna@example.net", "notify": []string{"FAILURE"}}}}}},
		"Submitted": object{"batches": []object{{"envid": key, "state": "accepted", "id": id, "code": 250, "enhanced": "2.0.0", "reply": "queued as " + id,
			"recipients": []object{recipient}}}},
		"Batches": object{"batches": []object{{"envid": key, "state": "accepted", "id": id, "accepted_at": "2027-01-07T09:30:00Z",
			"recipients": []object{recipient}}}},
		"Cancellations": object{"batches": []object{{"envid": key, "state": "cancelled", "id": id, "cancelled": 1, "left": 0}}},
		"Event": object{"at": "2027-01-08T07:00:04Z", "envid": key, "id": id, "recipient": "anna@example.net", "status": "delivered",
			"code": 250, "enhanced": "2.0.0", "reply": "OK"},
		"OveragePolicy": object{"policy": "stop"},
		"PolicyInForce": object{"policy": "stop", "effective": "2027-01-07T09:30:00Z", "at_limit": "stop", "at_limit_text": "sending stops until 2027-02-01"},
		"Order": object{"id": id, "kind": "upgrade", "plan": "standard", "state": "waiting", "price_minor": 4800, "paid_minor": 4650, "missing_minor": 150,
			"currency": "EUR", "created_at": "2027-01-07T09:30:00Z"},
		"PeriodBill": object{"period_start": "2026-12-01T00:00:00Z", "period_end": "2027-01-01T00:00:00Z", "plan": "standard", "unit": "bytes",
			"used": 1500000000, "allowance": 500000000, "credits_used": 0, "surcharged": 1000000000, "uncovered": 0, "tier": 2000000000,
			"price_minor": 1800, "currency": "EUR", "credited": 500000000, "state": "due", "order": id},
		"Credit": object{"id": id, "source": "surcharge", "order": id, "unit": "bytes", "granted": 500000000, "left": 500000000,
			"valid_from": "2027-01-01T00:00:00Z", "expires_at": "2027-11-26T09:30:00Z"},
		"PartnerOrderForm": object{"reference": "order-1041", "name": "flowers", "email": "anna@example.net", "plan": "standard", "customer": "K-77",
			"zone": "Europe/Rome", "overage": "stop"},
		"PartnerAccountMade":   object{"account": partnerAccount, "order": partnerOrder, "password": "abcd-efgh-jkmn-pqrs-tuvw-xyz2-3456"},
		"PartnerAccountChange": object{"email": "office@example.net", "overage": "surcharge"},
		"PartnerPassword":      object{"id": id, "name": "flowers", "password": "abcd-efgh-jkmn-pqrs-tuvw-xyz2-3456"},
		"PartnerAccounts":      object{"accounts": []object{partnerAccount}, "cursor": "cGFydG5lcg", "more": false},
		"PartnerOrders":        object{"orders": []object{partnerOrder}},
	} {
		if s, ok := schemas.Map()[name]; ok {
			s.Examples = []any{example}
		}
	}
}
