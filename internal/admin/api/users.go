package api

import (
	"context"
	"errors"
	"net/http"

	"github.com/towpath-cdc/towpath/internal/admin/identity"
)

// What com.alibaba.otter.canal.admin.controller.UserController answers.

const tagUser = "User"

func (a *API) userRoutes() {
	route(a, Operation{Method: http.MethodPost, Path: "/user/login", Tag: tagUser, Open: true,
		Summary: "Log in"}, a.login)
	route(a, Operation{Method: http.MethodGet, Path: "/user/info", Tag: tagUser, Open: true,
		Summary: "Who is logged in"}, a.userInfo)
	route(a, Operation{Method: http.MethodPut, Path: "/user", Tag: tagUser, BeforeChange: true,
		Summary: "Change the password of the user who is logged in"}, a.changePassword)
	route(a, Operation{Method: http.MethodPost, Path: "/user/logout", Tag: tagUser, Open: true,
		Summary: "Log out"}, a.logout)
}

type loginRequest struct {
	Username words `json:"username"`
	Password words `json:"password"`
}

// loggedIn is the data of a log-in.
type loggedIn struct {
	NeedPasswordChange string `json:"needPasswordChange,omitempty"` // "true" or absent
	Token              string `json:"token"`
	cookie             *http.Cookie
}

func (l loggedIn) cookies() []*http.Cookie { return []*http.Cookie{l.cookie} }

// login gives one message for an unknown user and for a wrong password, where
// Canal tells them apart.
func (a *API) login(ctx context.Context, _ identity.Principal, req loginRequest) (loggedIn, error) {
	c := callerOf(ctx)
	token, p, err := a.identity.Login(ctx, req.Username.orEmpty(), req.Password.orEmpty(), c.address, c.agent)
	switch {
	case errors.Is(err, identity.ErrEmpty):
		return loggedIn{}, &failure{code: codeBadLogin, reason: reasonInvalid, message: text{en: wrongLoginText}}
	case errors.Is(err, identity.ErrWrong):
		return loggedIn{}, refused(wrongLoginText)
	case err != nil:
		return loggedIn{}, err
	}
	out := loggedIn{Token: token, cookie: a.sessionCookie(c, token)}
	if p.MustChange {
		out.NeedPasswordChange = "true"
	}
	return out, nil
}

const wrongLoginText = "Invalid username or password"

// sessionCookie carries the token for the pages in a browser, whose scripts
// cannot read it.
func (a *API) sessionCookie(c caller, token string) *http.Cookie {
	return &http.Cookie{
		Name: sessionCookie, Value: token, Path: "/api",
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: c.secure || a.SecureCookie,
	}
}

type infoRequest struct {
	Token *string `query:"token" json:"-" doc:"the token; the header X-Token or the cookie does as well, and stays out of the logs of proxies"`
}

// userInfo never sends a password, not even hashed, whereas Canal sends both
// after a change.
func (a *API) userInfo(ctx context.Context, _ identity.Principal, req infoRequest) (userEntity, error) {
	token := callerOf(ctx).token
	if req.Token != nil {
		token = *req.Token
	} else if token == "" {
		return userEntity{}, missingParameter("token", "String")
	}
	p, err := a.identity.Authenticate(ctx, token)
	if errors.Is(err, identity.ErrExpired) {
		return userEntity{}, errInvalidToken
	}
	if err != nil {
		return userEntity{}, err
	}
	u := p.User
	return userEntity{
		ID: u.ID, Username: u.Username, Roles: u.Roles, Introduction: u.Introduction, Avatar: u.Avatar,
		Name: u.Name, CreationDate: a.dates.date(u.Created), DefaultPassword: p.MustChange,
	}, nil
}

type passwordRequest struct {
	Username    words `json:"username"` // the user who is logged in, or nothing
	OldPassword words `json:"oldPassword"`
	Password    words `json:"password"`
}

func (a *API) changePassword(ctx context.Context, p identity.Principal, req passwordRequest) (string, error) {
	switch {
	case req.Password.v == nil:
		return "", nullMessage("password is missing")
	case len([]rune(*req.Password.v)) < 5:
		return "", refused(tooShortText)
	case req.OldPassword.v == nil:
		return "", nullMessage("oldPassword is missing")
	case req.Username.v != nil && *req.Username.v != p.User.Username:
		return "", nullMessage("username is not the user who is logged in")
	}
	err := a.identity.ChangePassword(ctx, p, *req.OldPassword.v, *req.Password.v)
	switch {
	case errors.Is(err, identity.ErrTooShort):
		return "", refused(tooShortText)
	case errors.Is(err, identity.ErrTooLong):
		return "", refused("The new password is too long, at most 1024 bytes")
	case errors.Is(err, identity.ErrOldWrong):
		return "", refused("old passwd is unmatch")
	case errors.Is(err, identity.ErrSame):
		return "", refused("The new password must not be the default password")
	case err != nil:
		return "", err
	}
	return successText, nil
}

const tooShortText = "The new password is too short,must more than 6 digits"

// loggedOut is the data of a log-out, which also clears the cookie.
type loggedOut string

func (loggedOut) cookies() []*http.Cookie {
	return []*http.Cookie{{Name: sessionCookie, Path: "/api", MaxAge: -1, HttpOnly: true, SameSite: http.SameSiteStrictMode}}
}

// logout ends the session, which Canal lets go on. It succeeds without one, too.
func (a *API) logout(ctx context.Context, _ identity.Principal, _ struct{}) (loggedOut, error) {
	if token := callerOf(ctx).token; token != "" {
		if err := a.identity.Logout(ctx, token); err != nil && !errors.Is(err, identity.ErrExpired) {
			return "", err
		}
	}
	return successText, nil
}
