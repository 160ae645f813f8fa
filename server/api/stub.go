package api
import ("context";"github.com/danielgtaylor/huma/v2")
type Server struct{}
func (s *Server) problem(err error) error { return err }
	func (s *Server) createDevice(context.Context, *deviceIn) (*out[Device], error) {return nil,nil}
	func (s *Server) account(context.Context, *noInput) (*out[Account], error){return nil,nil}
	func (s *Server) setOverage(context.Context, *policyIn) (*out[OveragePolicy], error){return nil,nil}
	func (s *Server) quota(context.Context, *noInput) (*out[Quota], error){return nil,nil}
	func (s *Server) usage(context.Context, *usageIn) (*out[Usage], error){return nil,nil}
	func (s *Server) checkBatches(context.Context, *batchesIn) (*out[Batches], error){return nil,nil}
	func (s *Server) closeBatches(context.Context, *batchesIn) (*out[Batches], error){return nil,nil}
	func (s *Server) events(context.Context, *waiting) (*out[Events], error){return nil,nil}
	func (s *Server) failures(context.Context, *errorsIn) (*huma.StreamResponse, error){return nil,nil}
	func (s *Server) policy(context.Context, *noInput) (*out[Policy], error){return nil,nil}
	func (s *Server) endpoints(context.Context, *noInput) (*out[Endpoints], error){return nil,nil}
	func (s *Server) notices(context.Context, *waiting) (*out[Notices], error){return nil,nil}
	func (s *Server) ackNotice(context.Context, *ackIn) (*struct{}, error){return nil,nil}
