output "node_user_data" {
  description = "cloud-init for each node, for a machine with Debian 12."
  value = { for name in keys(var.nodes) : name => join("\n", ["#cloud-config", yamlencode({
    hostname       = name
    package_update = true
    packages       = local.packages
    write_files    = local.node_files[name]
    runcmd         = [["/usr/local/sbin/install-troupe"]]
  })]) }
}

output "etcd_user_data" {
  description = "cloud-init for each member of etcd, for a machine with Debian 12."
  value = { for name in keys(var.etcd) : name => join("\n", ["#cloud-config", yamlencode({
    hostname       = name
    package_update = true
    # It is there before the package, which starts etcd when it is installed; cloud-init keeps files that are there.
    write_files = [{
      path        = "/etc/default/etcd"
      permissions = "0644"
      content     = join("", [for key, value in local.etcd_settings[name] : "${key}=${value}\n"])
    }]
    packages = ["etcd-server", "etcd-client"]
    runcmd   = [["systemctl", "enable", "--now", "etcd"]]
  })]) }
}

output "etcd_endpoints" {
  description = "For `troupe cluster init --etcd`."
  value       = local.etcd_endpoints
}

output "ports" {
  description = "What a firewall has to let through, and from whom."
  value = {
    api   = { port = 7117, from = "clients" }
    links = { port = 7118, from = "nodes" }
    etcd  = { port = 2379, from = "nodes and members of etcd" }
    peers = { port = 2380, from = "members of etcd" }
  }
}
