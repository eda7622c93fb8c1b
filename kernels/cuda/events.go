package cuda

import "github.com/segloss/segloss/kernels/cuda/internal/driver"

// Event is a mark in a stream, a CUevent.
type Event = driver.Event

// NewStream makes a queue of work; CloseStream gives it back.
func (d *Device) NewStream() (Stream, error) { return d.context().NewStream() }

// CloseStream gives a stream back; what is queued there is still done.
func (d *Device) CloseStream(s Stream) error { return d.context().CloseStream(s) }

// NewEvent makes a mark; CloseEvent gives it back.
func (d *Device) NewEvent() (Event, error) { return d.context().NewEvent() }

// CloseEvent gives a mark back.
func (d *Device) CloseEvent(e Event) error { return d.context().CloseEvent(e) }

// Record queues a mark.
func (d *Device) Record(e Event, s Stream) error { return d.context().Record(e, s) }

// Elapsed waits for both marks and returns the milliseconds between them.
func (d *Device) Elapsed(from, to Event) (float64, error) { return d.context().Elapsed(from, to) }

// Copy queues a copy within the device.
func (d *Device) Copy(dst, src uintptr, bytes int, s Stream) error {
	if err := checkBytes(bytes); err != nil {
		return err
	}
	return d.context().Copy(dst, src, bytes, s)
}

// Set queues the filling of memory with one byte.
func (d *Device) Set(dst uintptr, value byte, bytes int, s Stream) error {
	if err := checkBytes(bytes); err != nil {
		return err
	}
	return d.context().Set(dst, value, bytes, s)
}
