#include "actors/audit/audit_text.hpp"

#include "schemas/audit.hpp"

#include <boost/test/unit_test.hpp>

using namespace troupe;
using namespace troupe::actors;

namespace {

storage::audit_line sample_line() {
    storage::audit_line out;
    out.organization = system_organization;
    out.shard = 17;
    out.seq = 42;
    out.time = {1'763'733'600'123};
    out.number = 5;
    out.entity = {system_organization, "task", derive_uuid({"task"})};
    out.entity_seq = 3;
    out.type = "task_created";
    out.principal = "user/1";
    out.client = {"192.0.2.1", "curl/8", system_organization};
    out.record.fill(0xab);
    out.chain.fill(0xcd);
    return out;
}

audit_entry sample_entry() { return entry_of(sample_line()); }

} // namespace

BOOST_AUTO_TEST_SUITE(audit_texts)

BOOST_AUTO_TEST_CASE(an_entry_says_what_its_line_does) {
    const auto e = sample_entry();
    BOOST_TEST(e.action == "task_created");
    BOOST_TEST((e.result == audit_result::success));
    BOOST_TEST(e.address == "192.0.2.1");
    BOOST_TEST(e.record.size() == 64U);
    BOOST_TEST(e.chain.starts_with("cdcd"));
    auto refused = sample_line();
    refused.type = wire_name<request_denied>::value;
    BOOST_TEST((entry_of(refused).result == audit_result::denied));
    refused.type = wire_name<login_failed>::value;
    BOOST_TEST((entry_of(refused).result == audit_result::failure));
}

BOOST_AUTO_TEST_CASE(an_id_leads_back_to_its_place_and_nothing_else_does) {
    const auto place = parse_audit_id(audit_id(sample_line()));
    BOOST_REQUIRE(place.has_value());
    BOOST_TEST(place->shard == 17U);
    BOOST_TEST(place->seq == 42U);
    BOOST_TEST(place->time.ms == 1'763'733'600'123);
    for (const auto* bad : {"", "-", "1-2", "1-2-", "1-2-3-4", "a-1-2", "1-70000000000-3", " 1-2-3"}) {
        BOOST_TEST(!parse_audit_id(bad).has_value(), bad);
    }
}

BOOST_AUTO_TEST_CASE(csv_quotes_everything_and_disarms_formulas) {
    auto e = sample_entry();
    e.user_agent = "=HYPERLINK(\"http://evil\")";
    e.principal = "a,b\nc";
    const auto csv = to_csv({e});
    BOOST_TEST(csv.find("\"'=HYPERLINK(\"\"http://evil\"\")\"") != std::string::npos, csv);
    BOOST_TEST(csv.find("\"a,b\nc\"") != std::string::npos);
    BOOST_TEST(csv.starts_with("at,result,action,"));
    BOOST_TEST(std::count(csv.begin(), csv.end(), '\r') == 2);
}

BOOST_AUTO_TEST_CASE(json_is_an_array_whatever_the_number) {
    BOOST_TEST(to_json_array({}) == "[]\n");
    BOOST_TEST(json::document::parse(to_json_array({sample_entry(), sample_entry()})).has_value());
}

BOOST_AUTO_TEST_CASE(a_pdf_takes_any_text_and_many_lines) {
    auto e = sample_entry();
    e.principal = "za\xc5\xbc\xc3\xb3\xc5\x82\xc4\x87 \xf0\x9f\x8e\xad \xff broken";
    e.address = std::string(500, 'x');
    const auto pdf = to_pdf(std::vector<audit_entry>(200, e), "Audit log");
    BOOST_REQUIRE_MESSAGE(pdf.has_value(), (pdf ? "" : pdf.error().detail));
    BOOST_TEST(pdf->starts_with("%PDF-1."));
    BOOST_TEST(pdf->find("/Count 4") != std::string::npos); // pages
    BOOST_TEST(to_pdf({}, "Audit log").has_value());
}

BOOST_AUTO_TEST_CASE(a_digest_covers_every_chain) {
    const std::vector<audit_chain_end> chains{{system_organization, 1, 2, "ab"}, {system_organization, 2, 2, "cd"}};
    auto other = chains;
    other[1].number = 3;
    BOOST_TEST(digest_of(chains) != digest_of(other));
    BOOST_TEST(digest_of(chains).size() == 64U);
}

BOOST_AUTO_TEST_SUITE_END()
