# SPDX-License-Identifier: Apache-2.0
"""First hop: a Flask shop that asks two services. It knows nothing of tracing."""
import os

import requests
from flask import Flask

app = Flask(__name__)
price = os.environ["PRICE"]
stock = os.environ["STOCK"]


@app.route("/buy/<item>")
def buy(item):
    cost = requests.get(f"http://{price}/price?item={item}").text
    left = requests.post(f"http://{stock}/take", data={"item": item}).text
    return f"{item}: {cost}, {left} left\n"
