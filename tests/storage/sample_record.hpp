#pragma once

#include "storage/record.hpp"

namespace troupe::test {

/// A record with something in every field that a writer fills in.
inline storage::record sample_record(const entity_address& entity) {
    storage::record r;
    r.shard = 3;
    r.seq = 1234567;
    r.epoch = 42;
    r.entity = entity;
    r.entity_seq = 300;
    r.command_id = "effect/run/1/tool";
    r.request_hash = 0xfedcba9876543210;
    r.index_in_batch = 1;
    r.batch_size = 2;
    r.type = "task_created";
    r.version = 7;
    r.time = {1'763'700'000'123};
    r.principal = "user/1";
    r.cause = "cause";
    r.correlation = "request";
    r.trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    r.client = {"192.0.2.7", "curl/8.0", system_organization};
    r.key_id = 9;
    r.payload = R"({"title":"Zażółć"})";
    return r;
}

} // namespace troupe::test
