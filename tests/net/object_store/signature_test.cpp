#include "net/object_store/signature.hpp"

#include "schemas/base/clock.hpp"

#include <boost/test/unit_test.hpp>

#include <string>

using namespace troupe;

namespace {

/// The examples of "Signature Calculations for the Authorization Header" in the S3 API reference.
const net::s3_credentials example{"AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", ""};
constexpr std::string_view nothing = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

net::s3_request ask(std::vector<std::pair<std::string, std::string>> query) {
    return {"GET", "examplebucket.s3.amazonaws.com", "/", std::move(query), std::string(nothing)};
}

std::string authorization(const net::s3_request& request, const net::s3_credentials& who = example) {
    return net::sign(request, who, "us-east-1", *parse_timestamp("2013-05-24T00:00:00Z")).back().second;
}

} // namespace

BOOST_AUTO_TEST_SUITE(s3_signatures)

BOOST_AUTO_TEST_CASE(list_is_signed_as_the_reference_says) {
    BOOST_TEST(authorization(ask({{"prefix", "J"}, {"max-keys", "2"}})) ==
               "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
               "SignedHeaders=host;x-amz-content-sha256;x-amz-date,"
               "Signature=34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7");
}

BOOST_AUTO_TEST_CASE(query_without_a_value_is_signed_with_an_empty_one) {
    BOOST_TEST(authorization(ask({{"lifecycle", ""}}))
                   .ends_with("fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"));
}

BOOST_AUTO_TEST_CASE(session_token_is_sent_and_signed) {
    auto who = example;
    who.session_token = "token";
    const auto headers = net::sign(ask({}), who, "us-east-1", timestamp{0});
    BOOST_TEST(headers[2].first == "x-amz-security-token");
    BOOST_TEST(headers.back().second.find("x-amz-date;x-amz-security-token,") != std::string::npos);
}

BOOST_AUTO_TEST_CASE(names_are_encoded_by_the_rules_of_the_signature) {
    BOOST_TEST(net::s3_encode("a/b c+d~ü", true) == "a/b%20c%2Bd~%C3%BC");
    BOOST_TEST(net::s3_encode("a/b", false) == "a%2Fb");
    BOOST_TEST(net::s3_query({{"prefix", "a/b"}, {"list-type", "2"}}) == "list-type=2&prefix=a%2Fb");
}

BOOST_AUTO_TEST_SUITE_END()
