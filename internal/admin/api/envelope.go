package api

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

var buffers = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// maxPooled is the largest buffer that is kept for the next answer.
const maxPooled = 256 << 10

// writeData sends a successful envelope. Like Jackson it does not escape the
// characters of HTML, which are safe in answers of type application/json.
func writeData(w http.ResponseWriter, data any) error {
	if p, ok := data.(prepared); ok {
		if body := p.prepared(); body != nil {
			writeBody(w, body)
			return nil
		}
	}
	return writeJSON(w, success(data))
}

// prepared is data whose envelope is not written anew for each who asks: the bytes of
// it, or nil when they have not been prepared.
type prepared interface{ prepared() []byte }

// prepare writes the envelope of data once.
func prepare(data any) ([]byte, error) {
	var buf bytes.Buffer
	err := encode(&buf, success(data))
	return buf.Bytes(), err
}

// successEnvelope is Canal's envelope of a call that succeeded.
type successEnvelope struct {
	Code    int     `json:"code"`
	Message *string `json:"message"`
	Data    any     `json:"data"`
}

func success(data any) successEnvelope { return successEnvelope{Code: codeSuccess, Data: data} }

func encode(buf *bytes.Buffer, v any) error {
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	buf.Truncate(buf.Len() - 1) // the end of line
	return nil
}

func writeJSON(w http.ResponseWriter, v any) error {
	buf := buffers.Get().(*bytes.Buffer)
	buf.Reset()
	defer func() {
		if buf.Cap() <= maxPooled {
			buffers.Put(buf)
		}
	}()
	if err := encode(buf, v); err != nil {
		return err
	}
	writeBody(w, buf.Bytes())
	return nil
}

// Values of headers that every answer has; they are shared and not changed.
var (
	typeJSON = []string{"application/json"}
	noStore  = []string{"no-store"}
)

func writeBody(w http.ResponseWriter, body []byte) {
	h := w.Header()
	h["Content-Type"], h["Cache-Control"] = typeJSON, noStore
	h.Set("Content-Length", strconv.Itoa(len(body)))
	w.Write(body) //nolint:errcheck // the client has gone; nobody is left to tell
}

// failedEnvelope is Canal's envelope of a call that failed, and what ours add.
type failedEnvelope struct {
	Code    int      `json:"code"`
	Message *string  `json:"message"`
	Data    any      `json:"data"`
	Error   *Failure `json:"error,omitempty"`
}

// writeFault answers with an error. beyond is true for calls that Canal has not.
func (a *API) writeFault(w http.ResponseWriter, r *http.Request, beyond bool, err error) {
	if r.Context().Err() != nil {
		return // the client has gone
	}
	f := a.fault(r, err)
	e := failedEnvelope{Code: f.code}
	if e.Code == 0 {
		e.Code = codeFailed
	}
	message := f.message.en
	if beyond {
		chinese := callerOf(r.Context()).chinese
		message = f.message.in(chinese)
		e.Error = &Failure{Reason: f.reason, Remedy: f.remedy.in(chinese), Fields: f.fields}
	}
	if !f.null || beyond {
		e.Message = &message
	}
	if err := writeJSON(w, e); err != nil {
		a.log.Error("answer not written", "error", err)
	}
}

// fault makes a failure of any error. What it does not know is logged with a
// number, and the caller learns only the number.
func (a *API) fault(r *http.Request, err error) *failure {
	var f *failure
	var throttled *identity.ThrottledError
	switch {
	case errors.As(err, &f):
		return f
	case errors.As(err, &throttled):
		return fail(reasonUnavailable, text{"Too many failed log-ins, try again in %.0f seconds", "登录失败次数过多，请在 %.0f 秒后重试"},
			math.Ceil(throttled.RetryAfter.Seconds()))
	case errors.Is(err, database.ErrTooLong):
		return fail(reasonInvalid, text{"A value is too long to be stored", "内容过长，无法保存"})
	case errors.Is(err, database.ErrCharacters):
		return fail(reasonInvalid, text{"There are characters that the database cannot store", "包含数据库无法保存的字符"})
	case errors.Is(err, database.ErrConflict):
		return errStale
	case errors.Is(err, database.ErrUnavailable):
		f = fail(reasonUnavailable, text{"The database cannot be reached at present", "数据库暂时无法访问"})
	default:
		f = fail(reasonInternal, text{"Something went wrong", "内部错误"})
	}
	id := strings.ToLower(rand.Text()[:8])
	a.log.LogAttrs(r.Context(), slog.LevelError, "call failed", slog.String("id", id),
		slog.String("method", r.Method), slog.String("path", r.URL.Path), slog.Any("error", err))
	f.message.en += "; the admin's log tells more under " + id
	f.message.zh += "；详情见 admin 日志，编号 " + id
	return f
}

// errStale refuses a text whose author has not seen the stored one.
var errStale = fail(reasonConflict, text{
	"The configuration has been changed by somebody else since it was loaded; load it again and repeat the change",
	"该配置在加载之后已被他人修改，请重新加载后再修改",
})

// statusBody is what Spring Boot's BasicErrorController sends.
type statusBody struct {
	Timestamp string `json:"timestamp"`
	Status    int    `json:"status"`
	Error     string `json:"error"`
	Path      string `json:"path"`
}

// writeStatus answers what is no call with an HTTP status, in the shape that it
// has in Canal.
func (a *API) writeStatus(w http.ResponseWriter, r *http.Request, status int) {
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	err := enc.Encode(statusBody{a.dates.format(time.Now()), status, http.StatusText(status), r.URL.Path})
	if err != nil {
		a.log.Error("answer not written", "error", err)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(bytes.TrimSuffix(buf.Bytes(), []byte("\n"))) //nolint:errcheck // as in writeJSON
}

// caller is what handlers want to know of who asks, besides the Principal.
type caller struct {
	address string // without the port
	agent   string
	token   string // "" when there is none
	secure  bool   // it came over TLS
	chinese bool   // the language of messages
}

type callerKey struct{}

// withCaller is the context in which callerOf finds who asks. The request is looked
// at only then: most requests are polls, which do not want to know.
func withCaller(r *http.Request) context.Context {
	return context.WithValue(r.Context(), callerKey{}, r)
}

func callerOf(ctx context.Context) caller {
	switch v := ctx.Value(callerKey{}).(type) {
	case caller:
		return v
	case *http.Request:
		token, _ := tokenOf(v)
		return caller{
			address: hostOf(v.RemoteAddr),
			agent:   v.UserAgent(),
			token:   token,
			secure:  v.TLS != nil,
			chinese: prefersChinese(v.Header.Get("Accept-Language")),
		}
	}
	return caller{}
}

// acceptsJSON says whether an Accept header allows an answer in JSON. None at all
// does, and so does one that cannot be read.
func acceptsJSON(accept []string) bool {
	if len(accept) == 0 {
		return true
	}
	seen := false
	for part := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, err := mime.ParseMediaType(part)
		if err != nil {
			continue
		}
		seen = true
		if q, err := strconv.ParseFloat(params["q"], 64); err == nil && q == 0 {
			continue
		}
		switch kind {
		case "*/*", "application/*", "application/json", "application/*+json":
			return true
		}
	}
	return !seen
}

// prefersChinese reads an Accept-Language header: the first of Chinese and
// English that it names decides, since browsers list them by preference.
func prefersChinese(header string) bool {
	for part := range strings.SplitSeq(header, ",") {
		tag, _, _ := strings.Cut(strings.TrimSpace(part), ";")
		language, _, _ := strings.Cut(strings.ToLower(tag), "-")
		switch language {
		case "zh":
			return true
		case "en":
			return false
		}
	}
	return false
}
