# User data (cloud-init) for the machines of a cluster: three or five members of etcd, and the nodes. It makes no machine: that is
# the caller's, with any provider, as README.md shows. So it needs no provider, and can be checked without a registry.
# Checked: README.md.

terraform {
  required_version = ">= 1.5"
}

locals {
  # Without a client's certificate: these ports are for the nodes and members alone (README.md).
  etcd_endpoints = [for name, address in var.etcd : "http://${address}:2379"]

  settings = { for name, address in var.nodes : name => merge(var.config, {
    listen = "0.0.0.0:7117"
    data   = "/var/lib/troupe/node"
    cluster = {
      file      = "/etc/troupe/cluster/cluster.json"
      name      = name
      listen    = "0.0.0.0:7118"
      advertise = "${address}:7118"
    }
  }) }

  node_files = { for name in keys(var.nodes) : name => [
    { path = "/etc/troupe/troupe.yaml", permissions = "0644", content = yamlencode(local.settings[name]) },
    { path = "/etc/systemd/system/troupe.service", permissions = "0644", content = file("${path.module}/../systemd/troupe.service") },
    { path = "/usr/local/sbin/install-troupe", permissions = "0700", content = templatefile("${path.module}/templates/install-troupe.sh", {
      release_url    = var.release_url
      release_sha256 = var.release_sha256
      release        = var.release
      fetch_cluster  = replace(var.fetch_cluster, "{node}", name)
    }) },
  ] }

  etcd_settings = { for name, address in var.etcd : name => {
    ETCD_NAME                        = name
    ETCD_DATA_DIR                    = "/var/lib/etcd/troupe"
    ETCD_LISTEN_CLIENT_URLS          = "http://${address}:2379,http://127.0.0.1:2379"
    ETCD_ADVERTISE_CLIENT_URLS       = "http://${address}:2379"
    ETCD_LISTEN_PEER_URLS            = "http://${address}:2380"
    ETCD_INITIAL_ADVERTISE_PEER_URLS = "http://${address}:2380"
    ETCD_INITIAL_CLUSTER             = join(",", [for n, a in var.etcd : "${n}=http://${a}:2380"])
    ETCD_INITIAL_CLUSTER_STATE       = "new"
    ETCD_INITIAL_CLUSTER_TOKEN       = var.name
    ETCD_AUTO_COMPACTION_MODE        = "periodic"
    ETCD_AUTO_COMPACTION_RETENTION   = "5m"
  } }

  # What the programs are linked with in Debian 12, as in ../docker/Dockerfile, and what agents run commands with.
  packages = [
    "bubblewrap", "ca-certificates", "curl",
    "libboost-url1.81.0", "libbz2-1.0", "libcaf-core0.17",
    "libcmark-gfm-extensions0.29.0.gfm.6", "libcmark-gfm0.29.0.gfm.6", "libfmt9", "libgit2-1.5", "libhpdf-2.3.0", "libjemalloc2", "liblz4-1",
    "libqrencode4", "libseccomp2", "libsimdjson14", "libsnappy1v5", "libsodium23", "libspdlog1.10", "libssl3", "libstdc++6", "libxml2", "libxapian30",
    "libxxhash0", "libyaml-cpp0.7", "libzstd1", "zlib1g",
  ]
}
