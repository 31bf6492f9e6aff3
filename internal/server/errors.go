package server

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/towpath-cdc/towpath/internal/delivery"
	"github.com/towpath-cdc/towpath/protocol"
)

// The Java classes of errors that arise in a session. People match on the text
// of Canal's errors, which begins with the class.
const (
	classServer       = "com.alibaba.otter.canal.server.exception.CanalServerException"
	classNumberFormat = "java.lang.NumberFormatException"
	classProtobuf     = "com.google.protobuf.InvalidProtocolBufferException"
)

// clientIDError says that a client id is not a 16-bit number.
type clientIDError struct {
	text     string
	outRange bool // a number, but of more than 16 bits
}

func (e *clientIDError) Error() string {
	if e.outRange {
		return fmt.Sprintf("Value out of range. Value:\"%s\" Radix:10", e.text)
	}
	return fmt.Sprintf("For input string: \"%s\"", e.text)
}

// parseClientID reads a client id as Java's Short.parseShort does.
func parseClientID(text string) (int16, error) {
	n, err := strconv.ParseInt(text, 10, 32)
	if err != nil {
		return 0, &clientIDError{text: text}
	}
	if n != int64(int16(n)) {
		return 0, &clientIDError{text: text, outRange: true}
	}
	return int16(n), nil
}

// javaTrace returns err as Canal prints an exception: class, message, line end.
func javaTrace(err error) string {
	class, message := classServer, err.Error()
	var refused *delivery.Error
	var clientID *clientIDError
	switch {
	case errors.As(err, &refused):
		class, message = refused.Class, refused.Message
	case errors.As(err, &clientID):
		class = classNumberFormat
	case errors.Is(err, protocol.ErrMalformed):
		class = classProtobuf
	}
	return class + ": " + message + "\n"
}
