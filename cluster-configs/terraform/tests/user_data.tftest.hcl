# terraform test, in the folder above. No machine is made.
variables {
  nodes          = { n1 = "10.0.0.11", n2 = "10.0.0.12", n3 = "10.0.0.13" }
  etcd           = { e1 = "10.0.0.21", e2 = "10.0.0.22", e3 = "10.0.0.23" }
  release        = "0.1.0"
  release_url    = "https://releases.example.org/troupe-0.1.0.tar.gz"
  release_sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
  fetch_cluster  = "fetch-secret troupe/{node} | tar -xz -C /etc/troupe/cluster"
  config         = { log = { json = true } }
}

run "each_node_has_a_place_of_its_own" {
  command = plan

  assert {
    condition = alltrue([for name, address in var.nodes :
      yamldecode(yamldecode(output.node_user_data[name]).write_files[0].content).cluster.name == name &&
      yamldecode(yamldecode(output.node_user_data[name]).write_files[0].content).cluster.advertise == "${address}:7118"
    ])
    error_message = "A node's configuration does not say its name and address."
  }
  assert {
    condition     = yamldecode(yamldecode(output.node_user_data.n2).write_files[0].content).log.json
    error_message = "The caller's properties are not there."
  }
  assert {
    condition     = strcontains(output.node_user_data.n2, "fetch-secret troupe/n2 |")
    error_message = "A node does not fetch what is its own."
  }
}

run "members_of_etcd_know_each_other" {
  command = plan

  assert {
    condition     = strcontains(output.etcd_user_data.e2, "ETCD_INITIAL_CLUSTER=e1=http://10.0.0.21:2380,e2=http://10.0.0.22:2380,e3=http://10.0.0.23:2380")
    error_message = "A member does not know all members."
  }
  assert {
    condition     = output.etcd_endpoints == ["http://10.0.0.21:2379", "http://10.0.0.22:2379", "http://10.0.0.23:2379"]
    error_message = "The endpoints are not those of the members."
  }
}

run "an_even_number_of_members_is_refused" {
  command = plan
  variables {
    etcd = { e1 = "10.0.0.21", e2 = "10.0.0.22" }
  }
  expect_failures = [var.etcd]
}

run "settings_of_the_module_are_not_the_callers" {
  command = plan
  variables {
    config = { cluster = { name = "n9" } }
  }
  expect_failures = [var.config]
}

run "seventeen_nodes_are_refused" {
  command = plan
  variables {
    nodes = { for i in range(17) : "n${i}" => "10.0.1.${i}" }
  }
  expect_failures = [var.nodes]
}
