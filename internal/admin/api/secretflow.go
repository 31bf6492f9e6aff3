package api

import (
	"context"
	"strings"

	"github.com/towpath-cdc/towpath/internal/admin/database"
	"github.com/towpath-cdc/towpath/internal/admin/identity"
	"github.com/towpath-cdc/towpath/internal/config"
	"github.com/towpath-cdc/towpath/internal/control"
)

// Who may edit a text but not see its secrets must not get at them by way of the
// text: neither by having a server send a password to another address, nor by
// having it come out in a value that is shown or sent.

// whereSecretsGo are the keys that decide where a server sends a secret, and
// whether the one who gets it is who it should be.
var whereSecretsGo = map[string][]string{
	"canal.instance.dbPassword": {
		"canal.instance.master.address", "canal.instance.master.sslMode", "canal.instance.master.trustCertificateKeyStoreUrl",
		"canal.instance.standby.address", "canal.instance.standby.sslMode", "canal.instance.standby.trustCertificateKeyStoreUrl",
	},
	"canal.instance.tsdb.dbPassword": {"canal.instance.tsdb.url"},
}

// secretFlow is a change of the text of an instance.
type secretFlow struct {
	name          string // of the instance
	before, after flowText
	edited        string // after, with control.Masked for secrets that its author has not written
}

// flowText is the text of an instance, and the main configuration over it.
type flowText struct{ main, content string }

// check refuses what would let somebody get at secrets who may not see them.
func (f secretFlow) check(p identity.Principal) error {
	if p.Role.Allows(identity.RoleAdmin) {
		return nil
	}
	after, err := config.NewOverlay(f.after.main, f.name, f.after.content)
	if err != nil {
		return fail(reasonInvalid, text{"The configuration cannot be read", "配置内容无法解析"})
	}
	written, err := config.ParseProperties("", []byte(f.edited))
	if err != nil {
		return fail(reasonInvalid, text{"The configuration cannot be read", "配置内容无法解析"})
	}
	before, err := config.NewOverlay(f.before.main, f.name, f.before.content)
	if err != nil {
		before, _ = config.NewOverlay("", f.name, "") // then nothing is as it was
	}
	if err := checkReferences(before, after); err != nil {
		return err
	}
	for secret, places := range whereSecretsGo {
		if sameValues(before, after, places) {
			continue
		}
		if err := checkWritten(after, written, secret); err != nil {
			return err
		}
	}
	return nil
}

// checkReferences refuses a value with a secret in it, unless it stood there before.
func checkReferences(before, after *config.Overlay) error {
	for _, e := range after.Instance().Entries() {
		if !strings.Contains(e.Value, "${") {
			continue
		}
		_, secret, err := after.Expand(e.Value)
		if err == nil && !secret {
			continue
		}
		old, there := before.Instance().Get(e.Key)
		_, oldSecret, oldErr := before.Expand(old.Value)
		if there && old.Value == e.Value && oldSecret == secret && (oldErr == nil) == (err == nil) {
			continue
		}
		if err != nil {
			return fail(reasonInvalid, text{"The placeholders in %s cannot be resolved", "无法解析 %s 中的占位符"}, e.Key)
		}
		return fail(reasonForbidden, text{"%s refers to a secret, which only administrators may do", "%s 引用了机密配置，仅管理员可以这样设置"}, e.Key).
			withRemedy(text{"write the value itself, or ask an administrator", "请直接填写值，或联系管理员"})
	}
	return nil
}

// sameValues tells whether keys come to the same in both texts.
func sameValues(before, after *config.Overlay, keys []string) bool {
	for _, key := range keys {
		a, _, err1 := before.Value(key)
		b, _, err2 := after.Value(key)
		if err1 != nil || err2 != nil || a != b {
			return false
		}
	}
	return true
}

// checkWritten refuses a secret that somebody else has written. That there is none
// is right.
func checkWritten(after *config.Overlay, written *config.Properties, secret string) error {
	if e, ok := after.Server().Get(secret); ok && strings.TrimSpace(e.Value) != "" {
		return fail(reasonForbidden, text{"The address or its TLS has changed, and %s of the main configuration would be sent there; only administrators may do so", "地址或其 TLS 设置已修改，主配置中的 %s 将发送到新地址，仅管理员可以这样修改"}, secret).
			withRemedy(text{"ask an administrator", "请联系管理员"})
	}
	stored, _ := after.Instance().Get(secret)
	e, _ := written.Get(secret)
	_, refers, err := after.Expand(e.Value)
	if strings.TrimSpace(stored.Value) == "" || err == nil && !refers && strings.TrimSpace(e.Value) != control.Masked {
		return nil
	}
	f := fail(reasonInvalid, text{"The address or its TLS has changed, so the stored password is not sent there", "地址或其 TLS 设置已修改，不会向新地址发送已保存的密码"}).
		withRemedy(text{"enter the password (" + secret + ") anew", "请重新填写密码（" + secret + "）"})
	f.fields = map[string]string{secret: "required"}
	return f
}

// checkFlow checks that a caller may store content, which came as edited, for an
// instance in place of the row as it is stored; to is what it then belongs to.
func (a *API) checkFlow(ctx context.Context, p identity.Principal, row database.Instance, to owner, content, edited string) error {
	if p.Role.Allows(identity.RoleAdmin) {
		return nil
	}
	before, err := a.mainOf(ctx, owner{row.ClusterID, row.ServerID})
	if err != nil {
		return err
	}
	after, err := a.mainOf(ctx, to)
	if err != nil {
		return err
	}
	return secretFlow{name: row.Name, before: flowText{before, row.Content}, after: flowText{after, content}, edited: edited}.check(p)
}
