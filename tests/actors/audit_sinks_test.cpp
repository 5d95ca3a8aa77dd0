#include "actors/audit/audit_stream.hpp"
#include "actors/common/webhook.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;

namespace {

passed_line sample() {
    passed_line out;
    out.organization_id = system_organization;
    out.shard = 7;
    out.entry.id = "1-7-1";
    out.entry.at = {1'763'733'600'123};
    out.entry.action = "task created\n";
    out.entry.result = audit_result::denied;
    return out;
}

} // namespace

BOOST_AUTO_TEST_SUITE(audit_sinks)

BOOST_AUTO_TEST_CASE(a_signature_covers_time_and_body) {
    // By: printf '5.body' | openssl dgst -sha256 -hmac key
    BOOST_TEST(webhook_signature("key", 5, "body") ==
               "t=5,v1=bc1f25bceb7d997f3c5bcc30f038121e37fa6b8b279055e8a68e16b3a1c13f6d");
    BOOST_TEST(webhook_signature("key", 6, "body") != webhook_signature("key", 5, "body"));
}

BOOST_AUTO_TEST_CASE(a_line_says_whose_it_is_before_all_else) {
    const auto text = passed_json(sample());
    BOOST_TEST(json::document::parse(text).has_value(), text);
    BOOST_TEST(text.find("\"organization_id\":\"" + to_string(system_organization) + "\",\"shard\":7,") == 1U);
}

BOOST_AUTO_TEST_CASE(a_syslog_message_has_no_more_fields_than_its_own) {
    const auto text = to_syslog(sample(), "my_host");
    BOOST_TEST(text.starts_with("<108>1 2025-11-21T14:00:00.123Z my_host troupe - task_created_ - {"), text);
    BOOST_TEST(text.find('\n') == std::string::npos);
}

BOOST_AUTO_TEST_CASE(a_place_that_is_none_is_refused) {
    for (const auto* bad :
         {"", "localhost:514", "udp://", "udp://:514", "tcp://host", "tcp://host:", "http://host:1"}) {
        BOOST_TEST(make_syslog_sink(bad).has_error(), bad);
    }
    BOOST_TEST(make_syslog_sink("udp://[::1]:514").has_value());
    BOOST_TEST(make_syslog_sink("tcp://logs.example.org:6514").has_value());
}

BOOST_AUTO_TEST_SUITE_END()
