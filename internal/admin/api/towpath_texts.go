package api

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"os"
	"syscall"

	"github.com/towpath-cdc/towpath/internal/admin/address"
	"github.com/towpath-cdc/towpath/internal/admin/fleet"
	"github.com/towpath-cdc/towpath/internal/control"
	"github.com/towpath-cdc/towpath/internal/zk"
)

// trouble is why something cannot be asked, and what to do about it, in words
// that tell nothing of what foreign programs have answered.
type trouble struct{ reason, remedy text }

// unreachable says why a server did not answer.
func unreachable(err error) trouble {
	var ack *control.AckError
	switch {
	case errors.Is(err, fleet.ErrNotAsked):
		return trouble{text{"it has not answered yet", "尚未得到响应"}, text{"wait a moment", "请稍候"}}
	case errors.Is(err, fleet.ErrNoAddress):
		return trouble{text{"no address or admin port is stored", "未填写 IP 或 admin 端口"}, text{"edit the server", "请修改该 Server"}}
	case errors.As(err, &ack) && ack.Code == 300:
		return trouble{text{"it refuses the user or the password of the admin", "该 Server 拒绝了 admin 的用户名或密码"},
			text{"give canal.admin.user and canal.admin.passwd of the server the values that fit canal.adminUser and canal.adminPasswd of the admin", "请使 Server 的 canal.admin.user、canal.admin.passwd 与 admin 的 canal.adminUser、canal.adminPasswd 一致"}}
	case errors.As(err, &ack):
		return trouble{text{"it answers with an error", "该 Server 返回错误"}, text{"look into its log", "请查看该 Server 的日志"}}
	}
	return unreachableAddress(err, text{"start the server, or correct its address and admin port", "请启动该 Server，或更正其 IP 与 admin 端口"})
}

// unreachableAddress says why a connection could not be made. otherwise is what to
// do when nothing listens.
func unreachableAddress(err error, otherwise text) trouble {
	var dns *net.DNSError
	var unknown x509.UnknownAuthorityError
	var wrongName x509.HostnameError
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.Is(err, address.ErrRefused):
		return trouble{text{"the admin may not connect to its address", "admin 不允许连接该地址"}, text{"add its network to towpath.address.allow", "请将其网段加入 towpath.address.allow"}}
	case errors.As(err, &dns):
		return trouble{text{"its name cannot be resolved", "无法解析主机名"}, text{"correct the name, or the name service of the admin's host", "请更正主机名，或检查 admin 主机的域名解析"}}
	case errors.As(err, &unknown), errors.As(err, &wrongName), errors.As(err, &certificate):
		return trouble{text{"its certificate is not trusted", "证书不受信任"}, text{"name the authority that has signed it in towpath.control.tls.ca", "请在 towpath.control.tls.ca 中指定签发它的 CA"}}
	case errors.Is(err, syscall.ECONNREFUSED):
		return trouble{text{"nothing listens at its address", "该地址无服务监听"}, otherwise}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return trouble{text{"there is no way to its address", "网络不可达"}, text{"look at the network and at the firewall", "请检查网络与防火墙"}}
	case isTimeout(err):
		return trouble{text{"it does not answer in time", "响应超时"}, text{"look whether the host is up, and at the firewall between", "请检查主机是否存活，以及中间的防火墙"}}
	}
	return trouble{text{"the connection breaks", "连接中断"}, otherwise}
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.As(err, &timeout) && timeout.Timeout()
}

// zooKeeperTrouble says why ZooKeeper could not be asked.
func zooKeeperTrouble(err error) trouble {
	switch {
	case errors.Is(err, fleet.ErrNoZooKeeper):
		return trouble{text{"no ZooKeeper is stored for the cluster", "集群未填写 ZK 地址"}, text{"edit the cluster", "请修改集群"}}
	case errors.Is(err, zk.ErrAuthFailed):
		return trouble{text{"ZooKeeper refuses the credentials", "ZooKeeper 拒绝了认证信息"}, text{"correct towpath.zookeeper.auth in the main configuration", "请更正主配置中的 towpath.zookeeper.auth"}}
	case errors.Is(err, zk.ErrNoAuth):
		return trouble{text{"ZooKeeper does not let the admin read or write there", "ZooKeeper 的 ACL 不允许该操作"}, text{"set towpath.zookeeper.auth in the main configuration to a user of the ACL", "请在主配置中设置有权限的 towpath.zookeeper.auth"}}
	}
	return unreachableAddress(err, text{"start ZooKeeper, or correct the address in the cluster", "请启动 ZooKeeper，或更正集群的 ZK 地址"})
}

// failure is the trouble as the failure of a call. what begins the sentence.
func (t trouble) failure(what text) *failure {
	return fail(reasonUnreachable, text{what.en + ": " + t.reason.en, what.zh + "：" + t.reason.zh}).withRemedy(t.remedy)
}

// serverFault makes a failure of the error of a question to a server. What the
// server itself says comes as it is.
func serverFault(err error) error {
	var told *control.Error
	switch {
	case err == nil:
		return nil
	case errors.Is(err, context.Canceled):
		return err
	case errors.Is(err, control.ErrNotTowpath):
		return fail(reasonUnsupported, text{"A Java Canal server cannot tell this", "Java 版 Canal Server 不支持此功能"}).
			withRemedy(text{"run the instance on a Towpath server", "请在 Towpath Server 上运行该 Instance"})
	case errors.As(err, &told):
		return fail(toldReason(told.Code), text{en: told.Message}).withRemedy(text{en: told.Remedy})
	}
	return unreachable(err).failure(text{"The server cannot be asked", "无法访问该 Server"})
}

// The reasons of a Failure that come of a server or a cluster.
const (
	reasonUnsupported = "unsupported" // the server is Canal's
	reasonNotOwner    = "not_owner"   // another server runs the instance
	reasonNotRunning  = "not_running" // no server runs it
	reasonTimeout     = "timeout"     // the order stays in force
)

func toldReason(code string) string {
	switch code {
	case control.CodeBadParams:
		return reasonInvalid
	case control.CodeUnknownMethod:
		return reasonUnsupported
	case control.CodeUnknownDestination, control.CodeNotFound:
		return reasonNotFound
	case control.CodeNotOwner:
		return reasonNotOwner
	case control.CodeNotRunning:
		return reasonNotRunning
	}
	return reasonFailed
}
