"""Calls both interfaces with taobaopy and checks what comes back and what the platform has taken.

Usage: taobao_client.py URL APP_KEY SECRET
"""

import json
import sys
import urllib.request

from taobaopy.taobao import TaoBaoAPIClient, TaoBaoAPIError

SURRENDER_RESPONSE = "alibaba_alihealth_insurance_inst_surrender_info_sync_response"
AUCTION_RESPONSE = "auction_insurance_insuranceresultcallback_response"

SURRENDER = {
    "status": "APPLY",
    "refund_money": "100",
    "surrender_time": "202105311400",
    "endorsement_no": "12345678",
    "inst_policy_id": "ZA12345678",
    "alipay_open_id": "208812345678",
    "pre_flow_id": "12345678",
    "type": "USER_SUBMIT",
}
AUCTION = {
    "biz_id": "24010900100YSKSSG",
    "policy_number": "12345678A",
    "insurance_company": 1,
    "stage": 1,
    "status": 1,
    "time_of_occurrence": "2025-04-08 09:55:00",
    "bank_account_manager_name": "王小丫𬭎",
    "insurance_document": "oss:aakkloi122",
    "insurance_type": 1,
}


def text(content):
    return json.dumps(content, ensure_ascii=False)


def surrender(client, **changed):
    content = text({**SURRENDER, **changed})
    answer = client.post.alibaba__alihealth_insurance_inst_surrender_info_sync(biz_data=content)
    return answer[SURRENDER_RESPONSE]


def auction(client, **changed):
    content = text({**AUCTION, **changed})
    answer = client.post.auction_insurance_insuranceresultcallback(insurance_result_a_p_i_request=content)
    return answer[AUCTION_RESPONSE]


def expect(actual, expected, what):
    if actual != expected:
        sys.exit(f"{what}: {actual!r}, expected {expected!r}")


def error_of(call):
    try:
        answer = call()
    except TaoBaoAPIError as error:
        return error
    return sys.exit(f"an error was expected, and not {answer!r}")


def main():
    url, app_key, secret = sys.argv[1:]
    domain = url.removesuffix("/router/rest")
    client = TaoBaoAPIClient(app_key, secret, domain)

    answer = surrender(client)
    expect(answer["data"], True, "data of a surrender")
    expect(bool(answer["request_id"]), True, "a request_id")
    expect(auction(client)["call_success"], True, "call_success of an auction result")
    expect(auction(client, biz_id="AT-THE-THIRD")["call_success"], True, "call_success at the third attempt")

    refused = auction(client, biz_id="REFUSED")
    expect((refused["call_success"], refused["fail_code"]), (False, "NO_SUCH_CASE"), "a refused auction result")
    expect(surrender(client, inst_policy_id="REFUSED")["data"], False, "data of a refused surrender")

    invalid = error_of(lambda: surrender(client, inst_policy_id="INVALID"))
    expect((invalid.code, invalid.sub_code), (50, "isv.invalid-parameter"), "the error of an invalid surrender")
    expect(error_of(lambda: auction(client, stage="")).code, 40, "the code of a missing stage")
    expect(error_of(lambda: client.post.no_such_method(x="1")).code, 22, "the code of an unknown method")
    wrong_secret = TaoBaoAPIClient(app_key, secret + "x", domain)
    expect(error_of(lambda: surrender(wrong_secret)).code, 25, "the code of a wrong secret")
    stranger = TaoBaoAPIClient("1", secret, domain)
    expect(error_of(lambda: surrender(stranger)).code, 29, "the code of an unknown app key")

    with urllib.request.urlopen(f"{domain}/received") as response:
        taken = [call["content"] for call in json.load(response)]
    expect(taken, [SURRENDER, AUCTION, {**AUCTION, "biz_id": "AT-THE-THIRD"}], "what the platform has taken")


main()
