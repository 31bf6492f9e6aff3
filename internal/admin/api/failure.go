package api

import (
	"errors"
	"fmt"
)

// The codes of the envelope. All but codeForbidden are Canal's.
const (
	codeSuccess      = 20000
	codeBadLogin     = 40001 // user name or password is empty
	codeForbidden    = 40300 // the role does not allow it
	codeFailed       = 50000
	codeExpired      = 50014 // not logged in, or not any more
	codeMustChange   = 50015 // the password has to be changed first
	successText      = "success"
	expiredText      = "Expired token"
	invalidTokenText = "Invalid token"
	mustChangeText   = "Default password must be changed before proceeding"
)

// The reasons of a Failure.
const (
	reasonInvalid     = "invalid"
	reasonNotFound    = "not_found"
	reasonConflict    = "conflict"
	reasonForbidden   = "forbidden"
	reasonExpired     = "expired"
	reasonMustChange  = "must_change_password"
	reasonUnreachable = "unreachable"
	reasonUnavailable = "unavailable"
	reasonFailed      = "failed"
	reasonInternal    = "internal"
)

// text is a sentence in the languages of the admin.
type text struct{ en, zh string }

// in gives the text in a language: English unless it is Chinese and there is a
// Chinese one.
func (t text) in(chinese bool) string {
	if chinese && t.zh != "" {
		return t.zh
	}
	return t.en
}

// failure is why a call fails, in words that its caller may read. Canal's calls
// send code and message; those beyond them also the rest.
type failure struct {
	code    int // codeFailed if 0
	reason  string
	message text
	null    bool // the message is null, as Canal's is where it meets a null pointer
	remedy  text
	fields  map[string]string
}

// Error implements error.
func (f *failure) Error() string { return f.message.en }

// fail makes a failure. Both texts are formats for the same arguments.
func fail(reason string, message text, args ...any) *failure {
	if len(args) > 0 {
		message.en = fmt.Sprintf(message.en, args...)
		if message.zh != "" {
			message.zh = fmt.Sprintf(message.zh, args...)
		}
	}
	return &failure{reason: reason, message: message}
}

// withRemedy adds what to do.
func (f *failure) withRemedy(remedy text) *failure {
	f.remedy = remedy
	return f
}

// invalid is the failure of a request that cannot be understood.
func invalid(format string, args ...any) *failure {
	return fail(reasonInvalid, text{en: fmt.Sprintf(format, args...)})
}

// refused is a failure with a text of Canal's, in the language that it has there.
func refused(message string) *failure {
	return fail(reasonInvalid, text{en: message})
}

// nullMessage is what Canal answers where it meets a null pointer: a message that
// is null. why is for the log and for calls beyond Canal's.
func nullMessage(why string) *failure {
	return &failure{reason: reasonInvalid, message: text{en: why}, null: true}
}

var (
	errExpired       = &failure{code: codeExpired, reason: reasonExpired, message: text{expiredText, "登录已过期，请重新登录"}}
	errInvalidToken  = &failure{code: codeExpired, reason: reasonExpired, message: text{en: invalidTokenText}}
	errMustChange    = &failure{code: codeMustChange, reason: reasonMustChange, message: text{mustChangeText, "请先修改默认密码"}}
	errForbidden     = &failure{code: codeForbidden, reason: reasonForbidden, message: text{"Your role does not allow this", "您的角色没有此操作权限"}}
	errCrossSite     = &failure{code: codeForbidden, reason: reasonForbidden, message: text{"The request came from another site", "拒绝来自其他站点的请求"}}
	errNotAcceptable = errors.New("the client does not accept JSON")
)
