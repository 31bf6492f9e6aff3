package peers;

import com.alibaba.otter.canal.admin.CanalAdmin;
import com.alibaba.otter.canal.admin.netty.CanalAdminWithNetty;
import com.alibaba.otter.canal.instance.manager.plain.PlainCanal;
import com.alibaba.otter.canal.instance.manager.plain.PlainCanalConfigClient;
import com.alibaba.otter.canal.protocol.SecurityUtil;
import java.util.Arrays;
import java.util.Map;
import java.util.Properties;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * What an admin sees of a Java server: Canal's own client of the configuration, Canal's own admin port. Canal's launcher, which
 * ties them together, is in no registry; this does the part of its work that an admin can notice.
 */
final class Managed implements CanalAdmin {
    /** What runs destinations. */
    interface Runner {
        void add(String destination, Properties config);

        void start(String destination);

        void stop(String destination);

        void release(String destination);

        Set<String> running();
    }

    private final PlainCanalConfigClient client;
    private final String passwd;
    private final Runner runner;
    private final Map<String, String> known = new TreeMap<>(); // md5 of each destination's text
    private final Set<String> stopped = new TreeSet<>();
    private boolean on = true;

    Managed(String manager, String user, String passwd, String ip, int port, String cluster, String name, Runner runner) {
        this.client = new PlainCanalConfigClient(manager, user, passwd, ip, port, true, cluster, name);
        this.passwd = passwd;
        this.runner = runner;
        PlainCanal server = client.findServer(null);
        if (server == null) {
            throw new IllegalStateException("the admin has no configuration for " + ip + ":" + port);
        }
        System.err.println("canal.properties from the admin: " + server.getMd5() + " " + server.getProperties().size() + " keys");
        CanalAdminWithNetty netty = CanalAdminWithNetty.instance();
        netty.setCanalAdmin(this);
        netty.setIp(ip);
        netty.setPort(port);
        netty.start();
        Executors.newSingleThreadScheduledExecutor(r -> {
            Thread t = new Thread(r, "scan");
            t.setDaemon(true);
            return t;
        }).scheduleWithFixedDelay(this::scan, 0, 1, TimeUnit.SECONDS);
    }

    /** Asks for the instances and does what has changed: stops, then reloads, then starts. */
    private synchronized void scan() {
        try {
            String list = client.findInstances(null);
            if (list == null || !on) {
                return;
            }
            Set<String> names = new TreeSet<>(Arrays.asList(list.split(",")));
            names.remove("");
            for (String d : new TreeSet<>(known.keySet())) {
                if (!names.contains(d)) {
                    known.remove(d);
                    runner.stop(d);
                }
            }
            for (String d : names) {
                PlainCanal got = client.findInstance(d, known.get(d));
                if (got == null || got.getProperties() == null || got.getProperties().isEmpty()) {
                    continue;
                }
                if (known.put(d, got.getMd5()) != null) {
                    runner.stop(d);
                }
                stopped.remove(d);
                runner.add(d, got.getProperties());
                runner.start(d);
            }
        } catch (Exception e) {
            System.err.println("scan failed: " + e);
        }
    }

    @Override
    public boolean auth(String user, String password, byte[] seed) {
        try {
            return SecurityUtil.scrambleServerAuth(SecurityUtil.hexStr2Bytes(password), SecurityUtil.hexStr2Bytes(passwd), seed);
        } catch (Exception e) {
            return false;
        }
    }

    @Override
    public boolean check() {
        return on;
    }

    @Override
    public synchronized boolean start() {
        if (on) {
            return false;
        }
        on = true;
        known.keySet().forEach(runner::start);
        return true;
    }

    @Override
    public synchronized boolean stop() {
        if (!on) {
            return false;
        }
        on = false;
        known.keySet().forEach(runner::stop);
        return true;
    }

    @Override
    public boolean restart() {
        stop();
        return start();
    }

    @Override
    public String getRunningInstances() {
        return String.join(",", runner.running());
    }

    @Override
    public boolean checkInstance(String destination) {
        return runner.running().contains(destination);
    }

    @Override
    public synchronized boolean startInstance(String destination) {
        if (!known.containsKey(destination)) {
            return false;
        }
        runner.start(destination);
        return true;
    }

    @Override
    public synchronized boolean stopInstance(String destination) {
        if (!known.containsKey(destination)) {
            return false;
        }
        runner.stop(destination);
        return true;
    }

    @Override
    public synchronized boolean releaseInstance(String destination) {
        if (!known.containsKey(destination)) {
            return false;
        }
        runner.release(destination);
        return true;
    }

    @Override
    public boolean restartInstance(String destination) {
        return stopInstance(destination) && startInstance(destination);
    }

    @Override
    public String listCanalLog() {
        return "canal.log";
    }

    @Override
    public String canalLog(int lines) {
        return "a line of the Java server\n";
    }

    @Override
    public String listInstanceLog(String destination) {
        return destination + ".log";
    }

    @Override
    public String instanceLog(String destination, String file, int lines) {
        return "a line of " + destination + "\n";
    }
}
