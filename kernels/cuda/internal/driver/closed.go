package driver

// Closed is a context that is not there: its methods say [ErrClosed].
type Closed struct{}

var _ Context = Closed{}

func (Closed) Info() Info                                    { return Info{} }
func (Closed) Load(string) (Module, error)                   { return nil, ErrClosed }
func (Closed) Alloc(int) (Ptr, error)                        { return 0, ErrClosed }
func (Closed) Free(Ptr) error                                { return ErrClosed }
func (Closed) AllocHost(int) ([]byte, error)                 { return nil, ErrClosed }
func (Closed) FreeHost([]byte) error                         { return ErrClosed }
func (Closed) CopyIn(Ptr, []byte, Stream) error              { return ErrClosed }
func (Closed) CopyOut([]byte, Ptr, Stream) error             { return ErrClosed }
func (Closed) Copy(Ptr, Ptr, int, Stream) error              { return ErrClosed }
func (Closed) Set(Ptr, byte, int, Stream) error              { return ErrClosed }
func (Closed) Launch(Function, Config, []byte, Stream) error { return ErrClosed }
func (Closed) Resident(Function, int, int) (int, error)      { return 0, ErrClosed }
func (Closed) NewStream() (Stream, error)                    { return 0, ErrClosed }
func (Closed) CloseStream(Stream) error                      { return ErrClosed }
func (Closed) Synchronize(Stream) error                      { return ErrClosed }
func (Closed) NewEvent() (Event, error)                      { return 0, ErrClosed }
func (Closed) Record(Event, Stream) error                    { return ErrClosed }
func (Closed) Elapsed(_, _ Event) (float64, error)           { return 0, ErrClosed }
func (Closed) CloseEvent(Event) error                        { return ErrClosed }
func (Closed) Close() error                                  { return nil }
