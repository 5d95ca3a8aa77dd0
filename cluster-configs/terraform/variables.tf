variable "name" {
  description = "Of the cluster: etcd's members of another one refuse each other."
  type        = string
  default     = "troupe"
}

variable "nodes" {
  description = "Name of each node, and the address at which the other nodes reach it."
  type        = map(string)

  validation {
    condition     = length(var.nodes) >= 1 && length(var.nodes) <= 16
    error_message = "A cluster has at most 16 nodes; three is what to begin with."
  }
  validation {
    condition     = alltrue([for name in keys(var.nodes) : can(regex("^[a-z0-9][a-z0-9-]*$", name))])
    error_message = "A node's name has small letters, digits and hyphens: it is the DNS name in its certificate."
  }
}

variable "etcd" {
  description = "Name of each member of etcd, and its address: three, or five. Small machines with fast disks."
  type        = map(string)

  validation {
    condition     = length(var.etcd) % 2 == 1
    error_message = "An even number of members of etcd survives no more losses than one fewer: take 1, 3 or 5."
  }
}

variable "release" {
  description = "Name of the folder in /opt/troupe that the programs go to."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9][A-Za-z0-9._-]*$", var.release)) && var.release != "current"
    error_message = "The release is the name of a folder, as 0.1.0; `current` is the link to it."
  }
}

variable "release_url" {
  description = "Of a .tar.gz with troupe and troupe-runner at its top, built for Debian 12."
  type        = string
}

variable "release_sha256" {
  description = "Of that file."
  type        = string

  validation {
    condition     = can(regex("^[0-9a-f]{64}$", var.release_sha256))
    error_message = "A SHA-256 is 64 hexadecimal digits."
  }
}

variable "fetch_cluster" {
  description = <<-END
    What root runs on a node to fill /etc/troupe/cluster: cluster.json, admin.key, secrets.key and tls/, from your store of secrets;
    {node} is the node's name. It is no part of the user data, since whoever may read that would have the master key.
  END
  type        = string
}

variable "config" {
  description = "Further properties of the nodes, as in ../single-node.yaml. listen, data and cluster are set here."
  type        = any
  default     = {}

  validation {
    condition     = length(setintersection(keys(var.config), ["listen", "data", "cluster"])) == 0
    error_message = "listen, data and cluster are set by the module."
  }
}
