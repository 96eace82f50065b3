namespace EdgeVirt.Cli.Tests.Compose;

/// <summary>Compose files in the shape in which such projects' users have them.</summary>
internal static class ComposeProjects
{
    public const string Mosquitto = """
        version: "3.8"
        services:
          mosquitto:
            image: eclipse-mosquitto:2
            container_name: mosquitto
            restart: unless-stopped
            ports:
              - "1883:1883"
              - "9001:9001"
            volumes:
              - ./config:/mosquitto/config:ro
              - data:/mosquitto/data
              - log:/mosquitto/log
            configs:
              - source: acl
                target: /mosquitto/acl.conf
                mode: 0440
            secrets: [passwords]
            networks: [default]
        configs:
          acl:
            content: |
              topic read $$SYS/#
              pattern readwrite devices/%u/#
        secrets:
          passwords:
            file: ./passwords.txt
        networks:
          default:
            driver: bridge
        volumes:
          data:
          log:
            driver: local
        """;

    public const string Grafana = """
        x-common: &common
          restart: always
          logging: {driver: json-file, options: {max-size: 10m}}
        services:
          influxdb:
            <<: *common
            image: influxdb:${INFLUX_TAG:-2.7}
            hostname: influxdb
            ports: ["127.0.0.1:8086:8086"]
            volumes: ["influx:/var/lib/influxdb2"]
            environment: &influx
              DOCKER_INFLUXDB_INIT_MODE: setup
              DOCKER_INFLUXDB_INIT_ORG: home
              DOCKER_INFLUXDB_INIT_ADMIN_TOKEN_FILE: /run/secrets/token
            secrets:
              - token
            deploy:
              resources:
                limits: {cpus: "1.5", memory: 512M, pids: 200}
                reservations: {memory: 128M}
          grafana:
            <<: [*common]
            image: grafana/grafana-oss:11.1.0
            user: "472:472"
            ports:
              - target: 3000
                published: 3000
            environment:
              <<: *influx
              GF_SECURITY_ADMIN_PASSWORD__FILE: /run/secrets/admin
              DOCKER_INFLUXDB_INIT_ORG: other
            secrets:
              - source: token
              - source: grafana_admin
                target: admin
                mode: 288
            volumes:
              - type: volume
                source: grafana
                target: /var/lib/grafana
            healthcheck:
              test: ["CMD", "curl", "-f", "http://localhost:3000/api/health"]
              start_period: 30s
        secrets:
          token: {environment: INFLUX_TOKEN}
          grafana_admin: {external: true}
        volumes: {influx: {}, grafana: {name: grafana-storage}}
        """;

    public const string HomeAssistant = """
        services:
          homeassistant:
            container_name: homeassistant
            image: "ghcr.io/home-assistant/home-assistant:stable"
            volumes:
              - /opt/homeassistant/config:/config
              - /etc/localtime:/etc/localtime:ro
              - /run/dbus:/run/dbus:ro
            devices:
              - /dev/serial/by-id/usb-Silicon_Labs-if00-port0:/dev/ttyUSB0
            restart: unless-stopped
            privileged: true
            network_mode: host
            ports: ["8123:8123"]
            stop_grace_period: 1m
        """;

    public const string NodeRed = """
        services:
          node-red:
            image: nodered/node-red:latest
            environment:
              - TZ=Europe/Amsterdam
            ports:
              - "1880:1880"
            networks:
              - node-red-net
            volumes:
              - node-red-data:/data
            group_add: [dialout]
            labels:
              com.example.owner: workshop
        volumes:
          node-red-data:
        networks:
          node-red-net:
        """;

    public const string Zigbee2Mqtt = """
        services:
          zigbee2mqtt:
            container_name: zigbee2mqtt
            image: ghcr.io/koenkk/zigbee2mqtt
            restart: unless-stopped
            volumes:
              - ./data:/app/data
              - /run/udev:/run/udev:ro
            ports:
              - 8080:8080
            environment:
              - TZ=Europe/Berlin
            devices:
              - /dev/serial/by-id/usb-ITead_Sonoff-if00-port0:/dev/ttyACM0:rw
            group_add: ["20"]
            user: 1000:1000
            security_opt: ["no-new-privileges:true"]
            shm_size: 128mb
            tmpfs: ["/tmp:size=64m"]
        """;

    public const string Nextcloud = """
        name: cloud
        services:
          db:
            image: mariadb:10.11
            restart: always
            command: --transaction-isolation=READ-COMMITTED --log-bin=binlog
            volumes: [db:/var/lib/mysql]
            env_file:
              - db.env
              - {path: missing.env, required: false}
            environment: [MYSQL_DATABASE=nextcloud]
          redis:
            image: redis:alpine
            restart: always
          app: &app
            image: nextcloud:fpm
            restart: always
            volumes: [nextcloud:/var/www/html:z]
            environment: [MYSQL_HOST=db, REDIS_HOST=redis]
          cron:
            extends: app
            entrypoint: /cron.sh
          web:
            image: nginx:alpine
            ports: [8080:80]
            volumes: ["nextcloud:/var/www/html:z,ro"]
            deploy:
              replicas: 2
              restart_policy: {condition: on-failure, max_attempts: 3}
              placement: {constraints: [node.labels.site == oslo]}
          adminer:
            image: adminer
            profiles: [debug]
          watchtower:
            image: containrrr/watchtower
            volumes: [/var/run/docker.sock:/var/run/docker.sock]
          ai:
            image: nextcloud/ai
            ulimits: {nofile: 1024}
            deploy: {resources: {reservations: {devices: [{driver: nvidia, count: 1, capabilities: [gpu]}]}}}
        volumes:
          db:
          nextcloud:
            driver_opts: {type: nfs, device: ":/srv"}
        networks:
          default: {ipam: {config: [{subnet: 172.28.0.0/16}]}}
        """;
}
