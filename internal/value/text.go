package value

import "github.com/towpath-cdc/towpath/internal/charset"

// AppendLatin1 appends each byte of data as U+0000 to U+00FF in UTF-8: Canal's
// form of BINARY, BLOB and GEOMETRY values.
func AppendLatin1(dst, data []byte) []byte { return charset.AppendLatin1(dst, data) }

// Latin1Len returns how many bytes AppendLatin1 appends for data.
func Latin1Len(data []byte) int { return charset.Latin1Len(data) }
